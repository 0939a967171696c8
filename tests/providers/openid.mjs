// A certified OpenID provider (npm: oidc-provider) in Google's place, under Google's paths. It prints its port when it listens.
// What is asked of it stands in OPENID: {client_id, client_secret, redirect_uri, person}.

import http from "node:http";

import { Provider } from "oidc-provider";

const asked = JSON.parse(process.env.OPENID);
const server = http.createServer((request, response) => callback(request, response));
let callback;

server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: asked.client_id,
        client_secret: asked.client_secret,
        redirect_uris: [asked.redirect_uri],
        grant_types: ["authorization_code"],
        response_types: ["code"],
        token_endpoint_auth_method: "client_secret_post",
      },
    ],
    routes: { authorization: "/o/oauth2/v2/auth", token: "/token", jwks: "/oauth2/v3/certs" },
    pkce: { required: () => true },
    scopes: ["openid", "email", "profile"],
    claims: { openid: ["sub"], email: ["email", "email_verified", "hd"], profile: ["name", "picture"] },
    conformIdTokenClaims: false, // as Google: the address stands in the id_token, not only behind userinfo
    features: { devInteractions: { enabled: true } },
    findAccount: (context, id) => ({ accountId: id, claims: () => ({ sub: id, ...asked.person }) }),
  });
  callback = provider.callback();
  console.log(`listening ${server.address().port}`);
});
