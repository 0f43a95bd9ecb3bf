"""An OAuth2 server, on ORY Hydra's paths: opaque access tokens.

    POST /oauth2/token               client_credentials, Basic base64(urlencode(id):urlencode(secret))
    POST /oauth2/revoke              RFC 7009: 200 for unknown tokens too
    POST /admin/oauth2/introspect    RFC 7662; asks for no authentication, as Hydra's admin port
    GET  /.well-known/jwks.json      no keys: tokens are opaque

The client is OAUTH2_CLIENT_ID and OAUTH2_CLIENT_SECRET of the configuration (or OAUTH_...; ecommerce-api
and secret), its scopes OAUTH2_SCOPE ("api").

    POST /sim/oauth2/tokens {"sub", "scope", "client_id", "expires_in", "ext"}  a token for somebody, all
                                     optional: {"access_token": ...}
    GET  /sim/oauth2/tokens          how many are active, and which

Knobs: token       expires_in n, type "Bearer" (of the case of token_type), scope "other" (granted, not asked)
       introspect  aud "text" (a text, not an array), members {...}: put over the answer; demand_auth true:
                   401 without Authorization
"""
import base64
from urllib.parse import parse_qsl, unquote_plus

from .call import Response, unguessable

ISSUER = 'http://hydra:4444/'


class Oauth2:
    NAME = 'oauth2'
    PREFIXES = ('/oauth2/', '/admin/oauth2/', '/.well-known/')
    OPERATIONS = {'token', 'revoke', 'introspect', 'jwks'}
    KNOBS = {'expires_in', 'type', 'scope', 'aud', 'members', 'demand_auth'}
    CONTROLS = ('oauth2',)

    def __init__(self, world):
        self.world = world
        config = world.config
        self.client = config.get('OAUTH2_CLIENT_ID') or config.get('OAUTH_CLIENT_ID') or 'ecommerce-api'
        self.secret = config.get('OAUTH2_CLIENT_SECRET') or config.get('OAUTH_CLIENT_SECRET') or 'secret'
        self.scopes = (config.get('OAUTH2_SCOPE') or config.get('OAUTH_SCOPE') or 'api').split()
        self.reset()

    def reset(self):
        self.tokens = {}  # token -> what introspection says of it

    def handle(self, request):
        found = {'/oauth2/token': ('token', self._token), '/oauth2/revoke': ('revoke', self._revoke),
                 '/admin/oauth2/introspect': ('introspect', self._introspect),
                 '/.well-known/jwks.json': ('jwks', self._jwks)}.get(request.path)
        if found is None:
            return _error(404, 'not_found', 'The requested resource could not be found')
        operation, effect = found
        form = {}
        if request.headers.get_content_type() == 'application/x-www-form-urlencoded':
            form = dict(parse_qsl(request.body.decode('utf-8', 'replace'), keep_blank_values=True))
        refs = [form.get('token'), form.get('scope')]
        if form.get('token') in self.tokens:
            refs.append(self.tokens[form['token']]['sub'])
        call = self.world.open(request, 'oauth2', operation, refs)
        return call.run(lambda do: effect(request, form, do), self._fault)

    def _fault(self, status, code, do):
        return _error(status, code or ('server_error' if status >= 500 else 'invalid_request'),
                      'A rule of soko-sim asked for this')

    def _token(self, request, form, do):
        if request.method != 'POST':
            return _error(405, 'request_forbidden', 'Method not allowed')
        if not self._is_client(request):
            return _error(401, 'invalid_client', 'Client authentication failed (e.g., unknown client, no '
                          'client authentication included, or unsupported authentication method).')
        if form.get('grant_type') != 'client_credentials':
            return _error(400, 'unsupported_grant_type', 'The authorization grant type is not supported by '
                          'the authorization server.')
        wanted = form.get('scope', '').split()
        if not set(wanted) <= set(self.scopes):
            return _error(400, 'invalid_scope', 'The requested scope is invalid, unknown, or malformed.')
        scope = do.get('scope', ' '.join(wanted))
        life = do.get('expires_in', 3599)
        token = self._issue(self.client, self.client, scope, life, form.get('audience', '').split(), {})
        return Response.json({'access_token': token, 'expires_in': life, 'scope': scope,
                              'token_type': do.get('type', 'bearer')}, headers={'Cache-Control': 'no-store'})

    def _issue(self, sub, client, scope, life, audience, ext):
        token = f'ory_at_{unguessable(22)}.{unguessable(16)}'
        now = int(self.world.now())
        self.tokens[token] = {'active': True, 'scope': scope, 'client_id': client, 'sub': sub,
                              'exp': now + life, 'iat': now, 'nbf': now, 'aud': audience, 'iss': ISSUER,
                              'token_type': 'Bearer', 'token_use': 'access_token', 'ext': ext}
        return token

    def _is_client(self, request):
        kind, _, given = request.headers.get('Authorization', '').partition(' ')
        try:
            name, _, secret = base64.b64decode(given, validate=True).decode().partition(':')
        except ValueError:
            return False
        return kind.lower() == 'basic' and (unquote_plus(name), unquote_plus(secret)) == \
            (self.client, self.secret)

    def _introspect(self, request, form, do):
        if request.method != 'POST':
            return _error(405, 'request_forbidden', 'Method not allowed')
        if do.get('demand_auth') and not request.headers.get('Authorization'):
            return _error(401, 'request_unauthorized', 'The request could not be authorized')
        if not form.get('token'):
            return _error(400, 'invalid_request', 'The POST body can not be empty.')
        found = self.tokens.get(form['token'])
        if found is None or found['exp'] <= self.world.now() or \
                not set(form.get('scope', '').split()) <= set(found['scope'].split()):
            found = {'active': False}
        elif do.get('aud') == 'text':
            found = {**found, 'aud': ' '.join(found['aud'])}
        return Response.json({**found, **do.get('members', {})})

    def _revoke(self, request, form, do):
        if request.method != 'POST':
            return _error(405, 'request_forbidden', 'Method not allowed')
        if not self._is_client(request):
            return _error(401, 'invalid_client', 'Client authentication failed')
        if 'token' not in form:
            return _error(400, 'invalid_request', 'The POST body can not be empty.')
        self.tokens.pop(form['token'], None)
        return Response(200)

    def _jwks(self, request, form, do):
        return Response.json({'keys': []})

    def control(self, request, parts):
        if parts != ['oauth2', 'tokens']:
            return None
        with self.world.lock:
            if request.method != 'POST':
                active = [token for token, t in self.tokens.items() if t['exp'] > self.world.now()]
                return Response.json({'active': len(active), 'tokens': active})
            body = request.json() or {}
            client = body.get('client_id', self.client)
            return Response.json({'access_token': self._issue(
                body.get('sub', client), client, body.get('scope', ' '.join(self.scopes)),
                int(body.get('expires_in', 3599)), body.get('aud', []), body.get('ext', {}))})


def _error(status, name, description):
    return Response.json({'error': name, 'error_description': description, 'error_hint': '',
                          'status_code': status}, status)
