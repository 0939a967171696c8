// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

interface Token {
    function transfer(address to, uint256 amount) external;
}

/// Contracts that pay the native coin inside a transaction, well and badly, for tests on private chains.
contract Forwarder {
    receive() external payable {}

    /// Passes all of it on.
    function forward(address payable to) external payable {
        pay(to, msg.value);
    }

    /// Half each, to two receivers.
    function split(address payable one, address payable other) external payable {
        pay(one, msg.value / 2);
        pay(other, msg.value - msg.value / 2);
    }

    /// Through another frame of its own.
    function deep(address payable to, uint256 depth) external payable {
        if (depth == 0) pay(to, msg.value);
        else this.deep{value: msg.value}(to, depth - 1);
    }

    /// Pays inside a frame that fails, catches that, and the transaction succeeds.
    function payAndRevertInside(address payable to) external payable {
        try this.payThenFail{value: msg.value}(to) {} catch {}
    }

    function payThenFail(address payable to) external payable {
        pay(to, msg.value);
        revert("taken back");
    }

    /// A call that moves nothing.
    function poke(address payable to) external {
        pay(to, 0);
    }

    /// A token's transfer by a contract: the transaction's `to` is not the token's contract.
    function send(Token token, address to, uint256 amount) external {
        token.transfer(to, amount);
    }

    /// Code of another contract runs here with this call's value in view: it is shown again, and moves nothing.
    function borrow(address code, address payable to) external payable {
        (bool done, ) = code.delegatecall(abi.encodeWithSignature("look(address)", to));
        require(done, "the borrowed code failed");
    }

    function look(address payable) external payable {}

    function pay(address payable to, uint256 amount) private {
        (bool done, ) = to.call{value: amount}("");
        require(done, "the receiver refused");
    }
}

/// Leaves what it has to an address when it goes: no call, no log.
contract Testament {
    constructor() payable {}

    function end(address payable heir) external {
        selfdestruct(heir);
    }

    /// Twice in one transaction: the second time there is nothing left.
    function endTwice(address payable heir) external {
        this.end(heir);
        this.end(heir);
    }
}
