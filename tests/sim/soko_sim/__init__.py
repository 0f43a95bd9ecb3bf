"""The simulator's parts. It shares no code with the clients that it tests, nor with tests/e2e."""
