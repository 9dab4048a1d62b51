// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// What is used of a TIP-20 token, which is a precompile of the chain.
interface IToken {
    function transfer(address to, uint256 amount) external returns (bool);
}

/// @title An escrow contract from before TIP-1034, for tests
///
/// Stands where Tempo has the older escrow ("v1"), for a payer that leaves a channel: the functions, events, errors,
/// channel ids, state and 900 seconds of grace of that way are the same.
///
/// Not reproduced, and no test may lean on it: `open`, `topUp`, `settle` and `close`, so vouchers of any kind, and the
/// layout of its storage. `openFor` is of this contract alone: it makes a channel of whoever is named, out of money
/// that this contract was given before.
contract StreamEscrow {
    struct Channel {
        bool finalized;
        uint64 closeRequestedAt;
        address payer;
        address payee;
        address token;
        address authorizedSigner;
        uint128 deposit;
        uint128 settled;
    }

    event ChannelOpened(
        bytes32 indexed channelId,
        address indexed payer,
        address indexed payee,
        address token,
        address authorizedSigner,
        bytes32 salt,
        uint256 deposit
    );
    event CloseRequested(
        bytes32 indexed channelId, address indexed payer, address indexed payee, uint256 closeGraceEnd
    );
    event ChannelExpired(bytes32 indexed channelId, address indexed payer, address indexed payee);
    event ChannelClosed(
        bytes32 indexed channelId,
        address indexed payer,
        address indexed payee,
        uint256 settledToPayee,
        uint256 refundedToPayer
    );

    error ChannelAlreadyExists();
    error ChannelFinalized();
    error ChannelNotFound();
    error NotPayer();
    error CloseNotReady();
    error TransferFailed();

    uint64 public constant CLOSE_GRACE_PERIOD = 900;

    mapping(bytes32 => Channel) private _channels;

    function openFor(address payer, address payee, address token, uint128 deposit, bytes32 salt)
        external
        returns (bytes32 channelId)
    {
        channelId = computeChannelId(payer, payee, token, salt, address(0));
        if (_channels[channelId].payer != address(0) || _channels[channelId].finalized) revert ChannelAlreadyExists();
        _channels[channelId] = Channel(false, 0, payer, payee, token, address(0), deposit, 0);
        emit ChannelOpened(channelId, payer, payee, token, address(0), salt, deposit);
    }

    function requestClose(bytes32 channelId) external {
        Channel storage channel = _ofCaller(channelId);
        if (channel.closeRequestedAt != 0) return;

        channel.closeRequestedAt = uint64(block.timestamp);
        emit CloseRequested(channelId, channel.payer, channel.payee, block.timestamp + CLOSE_GRACE_PERIOD);
    }

    function withdraw(bytes32 channelId) external {
        Channel memory channel = _ofCaller(channelId);
        bool ready = channel.closeRequestedAt != 0
            && block.timestamp >= uint256(channel.closeRequestedAt) + CLOSE_GRACE_PERIOD;
        if (!ready) revert CloseNotReady();

        uint128 refund = channel.deposit - channel.settled;
        delete _channels[channelId];
        _channels[channelId].finalized = true;
        if (refund != 0 && !IToken(channel.token).transfer(channel.payer, refund)) revert TransferFailed();
        emit ChannelExpired(channelId, channel.payer, channel.payee);
        emit ChannelClosed(channelId, channel.payer, channel.payee, channel.settled, refund);
    }

    function getChannel(bytes32 channelId) external view returns (Channel memory) {
        return _channels[channelId];
    }

    function computeChannelId(address payer, address payee, address token, bytes32 salt, address authorizedSigner)
        public
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(payer, payee, token, salt, authorizedSigner, address(this), block.chainid));
    }

    function _ofCaller(bytes32 channelId) private view returns (Channel storage channel) {
        channel = _channels[channelId];
        if (channel.finalized) revert ChannelFinalized();
        if (channel.payer == address(0)) revert ChannelNotFound();
        if (msg.sender != channel.payer) revert NotPayer();
    }
}
