"""A minimal RTSP server of a camera: one stream of H.264, with RTP interleaved in the connection."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from fractions import Fraction
from typing import Any

import av

from tests.video.videos import moving_frames

SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
SDP += "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track\r\n"


class Server:
    """Serves one client after the other. password: that of `user`, by HTTP's basic authentication."""

    def __init__(self, password: str = "") -> None:
        self._wanted = "Basic " + base64.b64encode(f"user:{password}".encode()).decode() if password else ""
        self._stop = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(0.05)
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}/stream"
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._server.close()

    def _accept(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                connection, _ = self._server.accept()
                with connection:
                    connection.settimeout(2)
                    self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        requests = connection.makefile("rb")
        while line := requests.readline().decode():
            method = line.split()[0]
            headers = {}
            while (header := requests.readline().decode().strip()) != "":
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            answer, body = "200 OK", ""
            further = {"CSeq": headers["cseq"], "Session": "1"}
            if self._wanted and headers.get("authorization") != self._wanted and method != "OPTIONS":
                answer, further["WWW-Authenticate"] = "401 Unauthorized", 'Basic realm="camera"'
            elif method == "OPTIONS":
                further["Public"] = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"
            elif method == "DESCRIBE":
                body = SDP
                further |= {"Content-Type": "application/sdp", "Content-Length": str(len(body))}
            elif method == "SETUP":
                further["Transport"] = "RTP/AVP/TCP;unicast;interleaved=0-1"
            lines = [f"RTSP/1.0 {answer}", *(f"{name}: {value}" for name, value in further.items()), "", body]
            connection.sendall("\r\n".join(lines).encode())
            if method == "PLAY" and answer == "200 OK":
                return self._play(connection)
            if method == "TEARDOWN":
                return None
        return None

    def _play(self, connection: socket.socket) -> None:
        """Send 25 frames a second until the client disconnects."""
        packets = _Packets(connection)
        with av.open(packets, "w", format="rtp", options={"payload_type": "96"}, buffer_size=1200) as container:
            stream: Any = container.add_stream("libx264", rate=25)
            stream.height, stream.width, stream.pix_fmt = 36, 48, "yuv420p"
            stream.options = {"tune": "zerolatency", "preset": "ultrafast", "g": "25"}
            shown = moving_frames(50)
            for n in range(500):
                frame = av.VideoFrame.from_ndarray(shown[n % 50], format="rgb24")
                frame.pts, frame.time_base = n, Fraction(1, 25)
                container.mux(stream.encode(frame))
                if self._stop.wait(1 / 25) or packets.closed:
                    packets.closed = True
                    return


class _Packets:
    """Each write is a packet of RTP, or of RTCP, which go to their channels of the connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.closed = False

    def write(self, data: bytes) -> int:
        channel = 1 if 200 <= data[1] <= 204 else 0
        try:
            self._connection.sendall(b"$" + bytes([channel]) + len(data).to_bytes(2, "big") + data)
        except OSError:
            self.closed = True
        return len(data)
