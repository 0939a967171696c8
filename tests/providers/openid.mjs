// A certified OpenID provider (npm: oidc-provider) in Google's place, under Google's paths. It prints where it listens at once,
// and begins to answer when one line of JSON came in: {client_id, client_secret, redirect_uri, person}.

import http from "node:http";
import readline from "node:readline";

import { Provider } from "oidc-provider";

let answer;
const server = http.createServer((request, response) =>
  request.url === "/favicon.ico" ? response.writeHead(204).end() : answer(request, response),
);

function begin(asked) {
  const provider = new Provider(`http://127.0.0.1:${server.address().port}`, {
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
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    conformIdTokenClaims: false, // as Google does: the address stands in the id_token, not only behind userinfo
    findAccount: (context, id) => ({ accountId: id, claims: () => ({ sub: id, ...asked.person }) }),
  });
  provider.on("grant.error", (context, error) => console.error(`refused: ${error.error_description ?? error.message}`));
  provider.on("authorization.error", (context, error) => console.error(`refused: ${error.error_description ?? error.message}`));
  answer = provider.callback();
  console.log("begun");
}

server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
readline.createInterface({ input: process.stdin }).on("line", (line) => begin(JSON.parse(line)));
process.stdin.on("end", () => process.exit(0));
