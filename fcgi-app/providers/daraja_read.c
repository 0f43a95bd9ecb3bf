/* STUB: replaced by its owner before this branch lands. */
#include "providers/daraja.h"
