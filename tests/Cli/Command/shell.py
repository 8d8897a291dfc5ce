"""Types lines into a shell on a terminal of its own, as a person does, and waits until each has run.

  shell.py RAN PROMPT LINE... -- SHELL [ARGUMENT...]

A LINE has \\t where the key for completion is pressed. Each is followed by Return and has run once the file RAN has one
more line, which the commands that are typed write.
"""
import os, pty, select, sys, time

LIMIT_S = 20


def read(terminal, seconds):
    ready, _, _ = select.select([terminal], [], [], seconds)
    return os.read(terminal, 65536) if ready else b""


def count(path):
    try:
        with open(path, "rb") as file:
            return file.read().count(b"\n")
    except FileNotFoundError:
        return 0


def wait(terminal, is_there, seen):
    end = time.monotonic() + LIMIT_S
    while not is_there(seen):
        if time.monotonic() > end:
            sys.exit("the shell does not answer; it has shown:\n" + bytes(seen).decode(errors="replace"))
        seen += read(terminal, 0.02)


arguments = sys.argv[1:]
end = arguments.index("--")
ran, prompt, lines, shell = arguments[0], arguments[1].encode(), arguments[2:end], arguments[end + 1:]
child, terminal = pty.fork()
if child == 0:
    os.execvp(shell[0], shell)
wait(terminal, lambda seen: prompt in seen, bytearray())
for number, line in enumerate(lines, 1):
    os.write(terminal, line.replace("\\t", "\t").encode() + b"\r")
    wait(terminal, lambda seen: count(ran) >= number, bytearray())
os.close(terminal)
os.waitpid(child, 0)
