// How a session is cheated. Each entry changes what an honest service does:
//   challenge(terms, {nth, ...})   the terms of the nth challenge at this URL
//   open, voucher, close(visit, again)   answers that credential itself (`again` sends a new challenge) and says true;
//                                  before it, a voucher was kept, while an open was neither broadcast nor remembered
//   receipt(receipt, {channel})    another receipt

import { zeroHash } from "viem";
import { atOtherChain, details, OTHER_TOKEN, request, second, toStranger } from "./mpp-hostile-terms.mjs";
import { sessionReceipt } from "./mpp-wire.mjs";
import { RESERVE } from "./tempo.mjs";

const OTHER_ESCROW = "0x33b901018174DDabE4841042ab76ba85D4e24f25";
const DEAR = "100000";
const HUGE_DEPOSIT = "1000000000000";
const UINT96_EXCESS = String(2n ** 96n);
const LATE_MS = 10_000;

const fails = (status) => (visit) => visit.answer(visit.response, status, undefined, {});
const hangs = () => true;
const asksAgain = (_, again) => again();

/** By name. */
export const SESSIONS = {
  honest: {},

  // Other terms once there is a channel.
  "switched-price": { challenge: second(request(() => ({ amount: DEAR }))) },
  "switched-payee": { challenge: second(toStranger()) },
  "switched-token": { challenge: second(request(() => ({ currency: OTHER_TOKEN }))) },
  "switched-chain": { challenge: second(atOtherChain()) },
  "switched-escrow": { challenge: second(details(() => ({ escrowContract: OTHER_ESCROW }))) },
  "switched-operator": { challenge: second(details((_, { stranger }) => ({ operator: stranger }))) },
  "switched-unit": { challenge: second(request(() => ({ unitType: "byte" }))) },

  // Terms that a payer must not agree to.
  dear: { challenge: request(() => ({ amount: "250000000" })) },
  "other-chain": { challenge: atOtherChain() },
  "no-chain": { challenge: details(() => ({ chainId: undefined })) },
  "other-escrow": { challenge: details(() => ({ escrowContract: OTHER_ESCROW })) },
  "other-token": { challenge: request(() => ({ currency: OTHER_TOKEN })) },
  "stranger-payee": { challenge: toStranger() },
  operator: { challenge: details((_, { stranger }) => ({ operator: stranger })) },
  "protocol-v1": { challenge: details(() => ({ sessionProtocol: "v1", escrowContract: OTHER_ESCROW })) },
  "no-protocol": { challenge: details(() => ({ sessionProtocol: undefined })) },

  // Deposits.
  "huge-deposit": { challenge: request(() => ({ suggestedDeposit: HUGE_DEPOSIT })) },
  "no-suggestion": { challenge: request(() => ({ suggestedDeposit: undefined })) },
  "demands-top-up": {
    challenge: snapshot(({ deposit }) => ({ requiredCumulative: String(deposit + 1n), spent: String(deposit) })),
    voucher: asksAgain,
  },

  // What is told of a channel with a new challenge.
  "inflated-snapshot": {
    challenge: snapshot(({ deposit }) => ({
      acceptedCumulative: String(deposit), spent: String(deposit - 10_000n), requiredCumulative: String(deposit),
    })),
  },
  "snapshot-other-channel": { challenge: snapshot(() => ({ channelId: zeroHash })) },

  // Takes an open and keeps it, broadcasts it and denies it, or broadcasts it when nobody counts with it any more.
  "open-kept-500": { open: fails(500) },
  "open-kept-402": { open: asksAgain },
  "open-kept-410": { open: fails(410) },
  "open-kept-hangs": { open: hangs },
  "open-broadcast-500": { open: async (visit) => (await broadcast(visit), fails(500)(visit)) },
  "open-broadcast-402": { open: async (visit, again) => (await broadcast(visit), again()) },
  "open-broadcast-410": { open: async (visit) => (await broadcast(visit), fails(410)(visit)) },
  "open-broadcast-hangs": { open: async (visit) => (await broadcast(visit), true) },
  "open-late-500": { open: (visit) => (setTimeout(() => broadcast(visit).catch(() => {}), LATE_MS), fails(500)(visit)) },

  // Takes a voucher and gives nothing for it.
  "voucher-500": { voucher: fails(500) },
  "voucher-402": { voucher: asksAgain },
  "voucher-410": { voucher: fails(410) },
  "voucher-hangs": { voucher: hangs },
  "voucher-empty": { voucher: (visit) => visit.answer(visit.response, 200, undefined, null) },

  // Receipts that are none. The first is given for the open.
  "receipt-missing": { receipt: () => "" },
  "receipt-garbage": { receipt: () => "{not json" },
  "receipt-other-channel": { receipt: (receipt) => ({ ...receipt, channelId: zeroHash, reference: zeroHash }) },
  "receipt-other-challenge": { receipt: (receipt) => ({ ...receipt, challengeId: "another" }) },
  "receipt-lower": { receipt: (receipt) => ({ ...receipt, acceptedCumulative: "1", spent: "1" }) },
  "receipt-higher": {
    receipt: (receipt, { channel }) => ({ ...receipt, acceptedCumulative: String(channel.deposit), spent: String(channel.deposit) }),
  },
  "receipt-too-large": { receipt: (receipt) => ({ ...receipt, acceptedCumulative: UINT96_EXCESS, spent: UINT96_EXCESS }) },
  "receipt-negative": { receipt: (receipt) => ({ ...receipt, spent: "-1" }) },

  // Never closes, says it did, or closes at the highest voucher instead of what was spent.
  "close-500": { close: fails(500) },
  "close-402": { close: asksAgain },
  "close-hangs": { close: hangs },
  "close-ignored": { close: (visit) => claimsClosed(visit) },
  "close-forged": { close: (visit) => claimsClosed(visit, `0x${"ab".repeat(32)}`) },
  "close-high": { voucher: skipsGoods, close: closesHigh },
};

function broadcast({ chain, credential: { payload } }) {
  return chain.broadcast(payload.transaction);
}

function claimsClosed({ answer, channel, credential, response }, txHash) {
  return answer(response, 204, sessionReceipt(credential.challenge.id, channel, { txHash }));
}

// With every second voucher for nothing, what was signed is more than what was spent.
function skipsGoods({ answer, channel, credential, response }) {
  channel.skips = !channel.skips;
  return channel.skips && answer(response, 500, sessionReceipt(credential.challenge.id, channel), {});
}

async function closesHigh(visit) {
  const { accepted: cumulativeAmount, signature } = visit.channel;
  const txHash = await visit.chain.close(visit.channel, { cumulativeAmount, signature }, cumulativeAmount);
  return claimsClosed(visit, txHash);
}

/** The snapshot of the channel at this URL, once there is one, with members that lie. */
function snapshot(lie) {
  return details(({ chainId }, { memory: { channel } }) => channel && { sessionSnapshot: { ...honestly(channel, chainId), ...lie(channel) } });
}

function honestly({ channelId, deposit, descriptor, accepted, signature, spent, units }, chainId) {
  return {
    acceptedCumulative: String(accepted), chainId, channelId, deposit: String(deposit), descriptor, escrow: RESERVE,
    highestVoucher: { channelId, cumulativeAmount: String(accepted), signature }, requiredCumulative: String(spent), settled: "0",
    spent: String(spent), units,
  };
}
