"""gRPC's four kinds of calls, by its own Python implementation: `server` prints its port, `client ADDRESS` calls."""

import concurrent.futures
import sys
import time

import grpc

SERVICE = "interop.Echo"


def unary(request, context):
    context.set_trailing_metadata((("x-trailer", "unary"),))
    return request


def many(request, _):
    for n in range(5):
        yield request + str(n).encode()


def collect(requests, _):
    return b",".join(requests)


def chat(requests, _):
    for request in requests:
        yield request.upper()


def fail(_, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")


def slow(request, context):
    while context.is_active():
        time.sleep(0.01)
    return request


def server():
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Many": grpc.unary_stream_rpc_method_handler(many),
        "Collect": grpc.stream_unary_rpc_method_handler(collect),
        "Chat": grpc.stream_stream_rpc_method_handler(chat),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
        "Slow": grpc.unary_unary_rpc_method_handler(slow),
    }
    running = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
    running.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    print(running.add_insecure_port("127.0.0.1:0"), flush=True)
    running.start()
    running.wait_for_termination()


def check(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: {got!r} instead of {wanted!r}")


def client(address):
    with grpc.insecure_channel(address) as channel:
        path = f"/{SERVICE}/"
        call = channel.unary_unary(path + "Unary")
        answer, done = call.with_call(b"hello", timeout=20)
        check("unary", answer, b"hello")
        check("trailer", dict(done.trailing_metadata()).get("x-trailer"), "unary")
        large = b"x" * 3_000_000
        check("large", len(call(large, timeout=20)), len(large))

        answers = list(channel.unary_stream(path + "Many")(b"n", timeout=20))
        check("server streaming", answers, [b"n0", b"n1", b"n2", b"n3", b"n4"])
        answer = channel.stream_unary(path + "Collect")(iter([b"a", b"b", b"c"]), timeout=20)
        check("client streaming", answer, b"a,b,c")

        # Each word is answered before the next is said.
        heard = []

        def words():
            for n, word in enumerate([b"one", b"two", b"three"]):
                while len(heard) < n:
                    time.sleep(0.005)
                yield word

        for answer in channel.stream_stream(path + "Chat")(words(), timeout=20):
            heard.append(answer)
        check("both ways", heard, [b"ONE", b"TWO", b"THREE"])

        for method, timeout, code in [
            ("Fail", 20, grpc.StatusCode.NOT_FOUND),
            ("Slow", 0.2, grpc.StatusCode.DEADLINE_EXCEEDED),
            ("Nothing", 20, grpc.StatusCode.UNIMPLEMENTED),
        ]:
            try:
                channel.unary_unary(path + method)(b"x", timeout=timeout)
                sys.exit(f"{method}: no error")
            except grpc.RpcError as error:
                check(method, error.code(), code)
    print("all kinds passed")


if __name__ == "__main__":
    server() if sys.argv[1] == "server" else client(sys.argv[2])
