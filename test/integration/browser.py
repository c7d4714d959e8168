"""A real browser for tests: chromium by chromedriver, in the protocol of WebDriver.

    sys.dont_write_bytecode = True
    from browser import Browser, start
"""
import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request

from lib import need

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))

need("chromium", "chromedriver")


def check(condition, what, *details):
    if not condition:
        print("FAIL:", what, *details)
        sys.exit(1)


def start(command, pattern, environment):
    """Starts a program; what the pattern finds in what it says."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                             stderr=subprocess.DEVNULL, env=environment)
    for line in child.stdout:
        found = re.search(pattern, line)
        if found:
            return child, found[1]
    check(False, f"{command[0]} does not start")


class Browser:
    def __init__(self, port, folder):
        self.root = f"http://127.0.0.1:{port}/session"
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server",
                     "--window-size=1300,600", "--user-data-dir=" + folder]
        session = self.call("", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": arguments}}}})
        self.root += "/" + session["sessionId"]
        self.process = session["capabilities"]["goog:processID"]

    def call(self, path, body=None, method=None):
        request = urllib.request.Request(
            self.root + path, method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        try:
            with DIRECT.open(request, timeout=600) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            check(False, path, error.read().decode()[:500])

    def find(self, using, value):
        return self.call("/element", {"using": using, "value": value})

    def click(self, element):
        self.call(f"/element/{element[ELEMENT]}/click", {})

    def hover(self, element):
        self.call("/actions", {"actions": [{
            "type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"},
            "actions": [{"type": "pointerMove", "duration": 0, "origin": element,
                         "x": 0, "y": 0}]}]})

    def run(self, script):
        return self.call("/execute/sync", {"script": script, "args": []})

    def frames(self):
        """{name: (shown, left, width, label, hover text)}"""
        return dict(self.run("""
            return Array.from(document.querySelectorAll('g[data-n]')).map(g => {
                const rect = g.querySelector('rect'), text = g.querySelector('text');
                return [g.dataset.n, [g.style.display != 'none', +rect.getAttribute('x'),
                    +rect.getAttribute('width'), text.textContent,
                    g.querySelector('title').textContent]]; })"""))

    def keys(self, text):
        """As typed by a user, into what has the focus."""
        self.call("/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": [
            {"type": kind, "value": letter} for letter in text for kind in ("keyDown", "keyUp")]}]})

    def errors(self):
        return [line["message"] for line in self.call("/se/log", {"type": "browser"})
                if line["level"] == "SEVERE" and "favicon" not in line["message"]]

    def save(self, name):
        """Keeps a picture in the folder $SCREENSHOTS, if there is one."""
        picture = base64.b64decode(self.call("/screenshot"))
        if "SCREENSHOTS" in os.environ:
            with open(os.path.join(os.environ["SCREENSHOTS"], name + ".png"), "wb") as file:
                file.write(picture)
        return picture


@contextlib.contextmanager
def opened(folder, environment=None):
    """A browser that is closed at the end, also if a check fails."""
    driver, port = start(["chromedriver", "--port=0"], r"successfully on port (\d+)",
                         environment or {**os.environ, "HOME": folder, "TMPDIR": folder})
    try:
        browser = Browser(port, folder + "/profile")
        try:
            yield browser
            browser.call("", method="DELETE")
        except BaseException:
            os.kill(browser.process, signal.SIGTERM)
            raise
    finally:
        driver.terminate()
        driver.wait(300)
