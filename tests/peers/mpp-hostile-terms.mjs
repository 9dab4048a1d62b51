// How the terms of a challenge are changed: each gives a function of the honest terms and the visit that gives other terms.

/** A token that is real, and not the one agreed on. */
export const OTHER_TOKEN = "0x20c0000000000000000000000000000000000001";
/** The other chain of the two, by chain id. */
export const OTHER_CHAIN = { 4217: 42431, 42431: 4217 };

/** With other members of the request. */
export function request(change) {
  return (terms, visit) => ({ ...terms, request: { ...terms.request, ...change(terms.request, visit) } });
}

/** With other method details. */
export function details(change) {
  return request(({ methodDetails }, visit) => ({ methodDetails: { ...methodDetails, ...change(methodDetails, visit) } }));
}

/** Paid to somebody else. */
export function toStranger() {
  return request((_, { stranger }) => ({ recipient: stranger }));
}

/** At another chain. */
export function atOtherChain() {
  return details(({ chainId }) => ({ chainId: OTHER_CHAIN[chainId] }));
}

/** The change only from the second challenge at a URL on. */
export function second(change) {
  return (terms, visit) => (visit.nth > 1 ? change(terms, visit) : terms);
}
