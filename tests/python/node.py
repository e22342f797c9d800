"""A node in another language: deploys a counter in a real child, with messages that protoc made from proto/.

    node.py ARWEN COUNTER.wat MESSAGES.tsv

The generated modules must be on PYTHONPATH; `run` sees to that.
"""
import json
import os
import select
import struct
import subprocess
import sys

import wasmtime
from arwen.v1 import blockchain_pb2, contract_pb2, control_pb2, kind_pb2, log_pb2

MODULES = (blockchain_pb2, contract_pb2, control_pb2)
MessageKind = kind_pb2.Kinds.MessageKind
USER, CONTRACT = b"user".ljust(32, b"_"), bytes(8) + b"\x05\0contract".ljust(24, b"_")
GAS = 1_000_000


def message(kind):
    """An empty message of a kind: the message has the name of the kind."""
    name = MessageKind.Name(kind)
    return next(getattr(module, name) for module in MODULES if hasattr(module, name))()


class Pipe:
    """Frames on a pipe that can be read; fails when nothing comes."""

    def __init__(self, descriptor):
        self.descriptor = descriptor

    def read(self, count):
        data = b""
        while len(data) < count:
            assert select.select([self.descriptor], [], [], 10)[0], "nothing comes"
            piece = os.read(self.descriptor, count - len(data))
            assert piece, "the child closed the pipe"
            data += piece
        return data


class Child:
    """The program with the pipes 3 to 7."""

    def __init__(self, program):
        pipes = {number: os.pipe() for number in range(3, 8)}
        written_by_child = (5, 7)
        ours = {number: pipe[number not in written_by_child] for number, pipe in pipes.items()}
        theirs = {number: pipe[number in written_by_child] for number, pipe in pipes.items()}
        # A shell puts them where the child expects them; first above 20, since the numbers overlap.
        high = " ".join(f"{number + 20}>&{end}" for number, end in theirs.items())
        low = " ".join(f"{number}>&{number + 20} {number + 20}>&-" for number in theirs)
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec {high}; exec "$0" {low}', program], pass_fds=list(theirs.values())
        )
        for end in theirs.values():
            os.close(end)
        self.init, self.requests, self.profiles = ours[3], ours[4], ours[6]
        self.answers, self.lines = Pipe(ours[5]), Pipe(ours[7])
        self.nonce = 0

    def send(self, kind, fields, error=""):
        self.nonce += 1
        envelope = control_pb2.Envelope(dialogue_nonce=self.nonce, kind=kind, error_message=error)
        # An envelope and the fields of the message, one behind the other.
        payload = envelope.SerializeToString() + fields.SerializeToString()
        os.write(self.requests, struct.pack("<II", len(payload), kind) + payload)

    def receive(self):
        length, kind = struct.unpack("<II", self.answers.read(8))
        payload = self.answers.read(length)
        envelope, fields = control_pb2.Envelope.FromString(payload), message(kind)
        fields.ParseFromString(payload)
        self.nonce += 1
        assert (envelope.dialogue_nonce, envelope.kind) == (self.nonce, kind), envelope
        return kind, envelope.error_message, fields

    def log_line(self):
        (length,) = struct.unpack("<I", self.lines.read(4))
        return log_pb2.LogLine.FromString(self.lines.read(length))


class World:
    """What the hooks answer from."""

    def __init__(self):
        self.accounts = {USER: {"code": b"", "storage": {}}}

    def answer(self, kind, question):
        answer = message(kind + 1)
        if kind == MessageKind.BlockchainNewAddressRequest:
            assert question.creator_address == USER, question
            answer.result = CONTRACT
        elif kind == MessageKind.BlockchainGetUserAccountRequest:
            known = self.accounts.get(question.address)
            if known is None:
                return answer, "account not found"
            answer.account.address, answer.account.code = question.address, known["code"]
            answer.account.balance.SetInParent()
        elif kind == MessageKind.BlockchainGetStorageDataRequest:
            answer.data = self.accounts.get(question.address, {"storage": {}})["storage"].get(question.index, b"")
        else:
            raise AssertionError(f"no answer to {MessageKind.Name(kind)}")
        return answer, ""

    def apply(self, output):
        for entry in output.output_accounts:
            account = self.accounts.setdefault(entry.value.address, {"code": b"", "storage": {}})
            account["code"] = entry.value.code or account["code"]
            # Keys are bytes here, and the same as in the values.
            assert entry.key == entry.value.address, entry
            account["storage"].update({update.value.offset: update.value.data for update in entry.value.storage_updates})


def dialogue(child, world, kind, request):
    """A request with its hook calls: the output, and how many calls there were."""
    child.nonce, hook_calls = 0, 0
    child.send(kind, request)
    while True:
        kind, error, fields = child.receive()
        if kind == MessageKind.ContractResponse:
            assert error == "" and fields.vm_output.return_code == 0, (error, fields)
            world.apply(fields.vm_output)
            return fields.vm_output, hook_calls
        hook_calls += 1
        child.send(kind + 1, *world.answer(kind, fields))


def start(program, messages):
    """A child that is told to speak protobuf and to log everything."""
    rows = (row.rstrip("\n").split("\t") for row in open(messages, encoding="utf-8"))
    initialize = next(json.loads(row[2]) for row in rows if row[1] == "initialize:driver-tests-default")
    initialize["Arguments"].update(MessagesMarshalizer=2, LogsMarshalizer=2)
    child, payload = Child(program), json.dumps(initialize).encode()
    os.write(child.init, struct.pack("<II", len(payload), MessageKind.Initialize) + payload)
    profile = json.dumps({"LogLevelPatterns": "*:TRACE"}).encode()
    os.write(child.profiles, struct.pack("<I", len(profile)) + profile)
    return child


def main(program, contract, messages):
    child, world = start(program, messages), World()
    line = child.log_line()
    assert (line.message, line.log_level, line.logger_name) == ("Profile change applied.", 2, "pipes/childPart"), line

    deploy = contract_pb2.ContractDeployRequest()
    deploy.create_input.contract_code = bytes(wasmtime.wat2wasm(open(contract).read()))
    deploy.create_input.input.caller_addr, deploy.create_input.input.gas_provided = USER, GAS
    deploy.create_input.input.call_value.SetInParent()
    dialogue(child, world, MessageKind.ContractDeployRequest, deploy)
    assert world.accounts[CONTRACT]["storage"] == {b"COUNTER": b"\x01"}, world.accounts

    call = contract_pb2.ContractCallRequest()
    call.call_input.recipient_addr, call.call_input.function = CONTRACT, "increment"
    call.call_input.input.CopyFrom(deploy.create_input.input)
    for expected in (2, 3):
        output, hook_calls = dialogue(child, world, MessageKind.ContractCallRequest, call)
        assert list(output.return_data) == [bytes([expected])], output
        assert hook_calls == 2 and 0 < output.gas_remaining < GAS, (hook_calls, output)
        assert world.accounts[CONTRACT]["storage"][b"COUNTER"] == bytes([expected]), world.accounts

    while (line := child.log_line()).message != "RunSmartContractCall end":
        assert line.timestamp > 0, line
    assert (line.logger_name, line.log_level) == ("arwen/host", 0), line
    os.close(child.requests)
    assert child.process.wait(10) == 3
    print("deployed and called by generated code: the counter is 3")


if __name__ == "__main__":
    main(*sys.argv[1:])
