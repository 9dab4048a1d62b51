// Challenges that are hard to read. Each entry makes the value, or the values, of `WWW-Authenticate` out of the honest terms;
// `header(changed)` writes a proper one with changed fields.

import { canonical, encoded } from "./mpp-wire.mjs";

const DEAR = "250000000";
const HUGE_BYTES = 20 * 1024;
const NESTED = 10_000;
const MANY = 100;

/** By name. */
export const PARSER_CHALLENGES = {
  // Quoting and parameters.
  "scheme-in-quotes": (terms, header) => header({ description: 'x", Payment id="fake", realm="evil" ' }),
  "duplicate-id": (_, header) => `${header({})}, id="another"`,
  "duplicate-request": (terms, header) => `${header({})}, request="${encoded(canonical({ ...terms.request, amount: DEAR }))}"`,
  "duplicate-in-capitals": (terms, header) => `${header({})}, REQUEST="${encoded(canonical({ ...terms.request, amount: DEAR }))}"`,
  "unterminated-quote": (_, header) => header({}).slice(0, -1),
  "no-parameters": () => "Payment",
  "empty-id": (_, header) => header({ id: "" }),
  "no-id": (_, header) => header({}).replace(/id="[^"]*", /, ""),
  "no-realm": (_, header) => header({}).replace(/realm="[^"]*", /, ""),
  "no-request": (_, header) => header({}).replace(/request="[^"]*", /, ""),
  "method-in-capitals": (_, header) => header({ method: "TEMPO" }),
  "latin-1": (_, header) => header({ description: "caf\u00e9" }),
  "many-challenges": ({ request: asked }, header) => {
    return Array.from({ length: MANY }, (_, nth) => header({ request: { ...asked, externalId: String(nth) } }));
  },
  "comma-joined": (terms, header) => `${header({})}, ${header({ request: { ...terms.request, amount: DEAR } })}`,
  "other-scheme-first": (_, header) => `Basic realm="x", ${header({})}`,
  "header-cookie": (_, header) => header({ header: "Cookie" }),
  "header-payment": (_, header) => header({ header: "Payment-Authorization" }),
  "wrong-digest": (_, header) => header({ digest: "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:" }),

  // Amounts.
  "amount-plus": amount("+10000"),
  "amount-hex": amount("0x2710"),
  "amount-exponent": amount("1e4"),
  "amount-negative": amount("-10000"),
  "amount-fraction": amount("10000.5"),
  "amount-spaces": amount(" 10000 "),
  "amount-zeros": amount("00010000"),
  "amount-number": amount(10000),
  "amount-huge": amount(`1${"0".repeat(40)}`),
  "amount-empty": amount(""),
  "amount-null": amount(null),
  "amount-list": amount(["10000"]),
  "amount-other-digits": amount("\u0661\u0660\u0660\u0660\u0660"),
  "amount-twice": (terms, header) => header({ request: canonical(terms.request).replace('"amount":', `"amount":"${DEAR}","amount":`) }),

  // The request as a whole.
  "request-not-base64": (_, header) => sent(header, "%%%"),
  "request-padded": (terms, header) => sent(header, `${Buffer.from(canonical(terms.request)).toString("base64")}==`),
  "request-not-json": (_, header) => header({ request: "{not json" }),
  "request-list": (_, header) => header({ request: "[]" }),
  "request-deep": (_, header) => header({ request: `${"[".repeat(NESTED)}${"]".repeat(NESTED)}` }),
  "request-huge": (terms, header) => header({ request: { ...terms.request, description: "x".repeat(HUGE_BYTES) } }),
  "request-not-utf-8": (_, header) => sent(header, Buffer.from([0x7b, 0xff, 0xfe, 0x7d]).toString("base64url")),
  "recipient-short": request(() => ({ recipient: "0x1234" })),
  "recipient-name": request(() => ({ recipient: "shop.eth" })),
  "currency-symbol": request(() => ({ currency: "USD" })),
  "chain-text": request(({ methodDetails }) => ({ methodDetails: { chainId: String(methodDetails.chainId) } })),
  "chain-fraction": request(({ methodDetails }) => ({ methodDetails: { chainId: methodDetails.chainId + 0.5 } })),
  "chain-wrapped": (terms, header) => {
    const { chainId } = terms.request.methodDetails;
    return header({ request: canonical(terms.request).replace(`"chainId":${chainId}`, `"chainId":${2n ** 64n + BigInt(chainId)}`) });
  },

  // Times.
  "expires-nan": (_, header) => header({ expires: "NaN" }),
  "expires-number": (_, header) => header({ expires: "9999999999" }),
  "expires-local": (_, header) => header({ expires: "2099-01-01T00:00:00" }),
  "expires-year-99999": (_, header) => header({ expires: "+99999-01-01T00:00:00Z" }),
};

/** With this as the text of the parameter `request`. */
function sent(header, text) {
  return header({}).replace(/request="[^"]*"/, `request="${text}"`);
}

function amount(value) {
  return request(() => ({ amount: value }));
}

function request(change) {
  return (terms, header) => header({ request: { ...terms.request, ...change(terms.request) } });
}
