"""Plays a program in a terminal: it types the prompts, each when the text before it has appeared.

Arguments: a JSON array of [text to wait for, keys to type then], and the command. Prints the text of the screen.
"""

import fcntl
import json
import os
import pty
import re
import select
import struct
import sys
import termios
import time

steps = json.loads(sys.argv[1])
command = sys.argv[2:]

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
# Wide lines, so that texts are not wrapped.
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 240, 0, 0))

# How terminals respond to queries: the cursor, the kind of terminal, the keyboard, the colours.
responses = [
    (rb"\x1b\[6n", b"\x1b[1;1R"),
    (rb"\x1b\[c", b"\x1b[?62;22c"),
    (rb"\x1b\[\?u", b"\x1b[?0u"),
    (rb"\x1b\]10;\?", b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\"),
    (rb"\x1b\]11;\?", b"\x1b]11;rgb:0000/0000/0000\x1b\\"),
]
# A program that moves the cursor instead of printing spaces leaves none in the text.
control = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b.|[\x00-\x08\x0b-\x1f]")


def squeezed(text):
    return re.sub(r"\s+", "", text)


seen = ""
everything = ""
while True:
    ready, _, _ = select.select([terminal], [], [], 0.2)
    if ready:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        if not data:
            break
        for query, response in responses:
            for _ in re.findall(query, data):
                os.write(terminal, response)
        text = control.sub(" ", data.decode("utf-8", "replace"))
        seen += text
        everything += text
        print(text, flush=True)
    if steps and squeezed(steps[0][0]) in squeezed(seen):
        _, keys = steps.pop(0)
        seen = ""
        for key in keys:
            time.sleep(0.5)
            os.write(terminal, key.encode())
_, status = os.waitpid(pid, 0)
sys.exit(1 if steps else 0)
