"""`reiqa web` and the files that it hands out."""

import configparser
import fnmatch
import http.client
import pathlib
import re
import signal
import subprocess
import sys
import threading

import pytest

from reiqa_tf.cli.main import main, parse
from reiqa_tf.presets.folders import PresetError
from reiqa_tf.runtimes.opening import open_artifact
from reiqa_tf.web.server import HEADERS, PAGE, PageServer, PortError

ROOT = pathlib.Path(__file__).parents[2]
ALBUMS = ROOT / "reiqa_tf" / "albums"


@pytest.fixture(scope="module")
def server():
    with PageServer("content_lite0_biq2021") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def ask(port, path, **headers):
    """What comes back: status, contents and headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    contents = response.read()
    connection.close()
    return response.status, contents, response.headers


def fetch(server, name):
    status, contents, headers = ask(server.server_port, f"/{name}")
    assert status == 200
    return contents, headers


def page_files():
    names = [path.relative_to(PAGE).as_posix() for path in PAGE.rglob("*") if path.is_file()]
    return sorted(set(names) - {"service_worker.js"})


def test_every_file_of_the_page_is_served_with_the_headers_that_threads_need(server):
    for name in page_files():
        contents, headers = fetch(server, name)
        assert contents == (PAGE / name).read_bytes(), name
        for header, value in HEADERS.items():
            assert headers[header] == value
        if name.endswith(("js", "mjs")):
            assert headers["Content-Type"].startswith("text/javascript")
    assert fetch(server, "")[0] == (PAGE / "index.html").read_bytes()


def test_the_model_is_that_of_the_preset_and_what_albums_have_too_is_theirs(server):
    model = open_artifact("content_lite0_biq2021", "onnx").path
    assert fetch(server, "model.onnx")[0] == pathlib.Path(model).read_bytes()
    assert fetch(server, "album.css")[0] == (ALBUMS / "page.css").read_bytes()
    assert fetch(server, "pieces.js")[0] == (ALBUMS / "pieces.js").read_bytes()


@pytest.mark.parametrize("path", ["/server.py", "/../setup.cfg", "//etc/passwd", "/%2e%2e/x", "/."])
def test_nothing_else_is_served(server, path):
    assert ask(server.server_port, path)[0] == 404


def test_a_file_that_the_browser_has_is_not_sent_again(server):
    _, headers = fetch(server, "model.onnx")
    since = {"If-Modified-Since": headers["Last-Modified"]}
    assert ask(server.server_port, "/model.onnx", **since)[0] == 304


def test_a_port_that_is_taken_is_named(server):
    with pytest.raises(PortError, match=f"port {server.server_port}: "):
        PageServer("content_lite0_biq2021", server.server_port)
    with pytest.raises(PortError, match="port 70000: "):
        PageServer("content_lite0_biq2021", 70000)


def test_a_preset_that_cannot_be_served_is_refused_before():
    with pytest.raises(PresetError, match="nonsense"):
        PageServer("nonsense")


def test_the_command_says_where_the_page_is_and_ends_on_interrupt():
    # Whoever runs tests in the background ignores interrupts, and so would what they start.
    code = """
import signal, sys
from reiqa_tf.cli.main import run
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv[0] = "reiqa"
run()
"""
    command = [sys.executable, "-c", code, "web", "--preset", "content_lite0_biq2021"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().strip()
        port = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/", address).group(1)
        assert b"<title>" in ask(int(port), "/")[1]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0


def test_a_wrong_preset_ends_the_command_in_a_line(capsys):
    assert main(parse(["reiqa", "web", "--preset", "nonsense"])) == 1
    assert "reiqa: nonsense: neither a folder" in capsys.readouterr().err


def test_every_file_of_the_page_is_installed():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    patterns = setup["options.package_data"]["reiqa_tf.web"].split()
    for path in PAGE.rglob("*"):
        if path.is_file():
            name = path.relative_to(PAGE.parent)
            assert any(
                len(name.parts) == len(pattern.split("/")) and fnmatch.fnmatch(str(name), pattern)
                for pattern in patterns
            ), name


def test_what_the_page_adds_to_the_wheel_is_below_5_megabytes():
    assert sum(path.stat().st_size for path in PAGE.rglob("*") if path.is_file()) < 5e6


def test_the_page_asks_for_its_own_files_alone():
    text = (PAGE / "index.html").read_text()
    asked = set(re.findall(r'(?:src|href)="([^"]*)"', text)) - {"data:,"}
    assert asked == {"album.css", "page.css", "page.js"}
    for path in [*PAGE.glob("*"), ALBUMS / "page.css", ALBUMS / "pieces.js"]:
        if path.suffix in (".js", ".css", ".html"):
            assert not re.search(r"https?://", path.read_text()), path


def test_the_policy_is_the_same_wherever_it_is_said():
    policy = re.search(
        r'Content-Security-Policy" content="([^"]*)"', (PAGE / "index.html").read_text()
    )
    said = policy.group(1)
    assert HEADERS["Content-Security-Policy"] == said + "; frame-ancestors 'none'"
    lines = re.findall(
        r'^ +"([^"]*)"[ +,]*$', (PAGE / "service_worker.js").read_text(), re.MULTILINE
    )
    assert "".join(lines) == said
