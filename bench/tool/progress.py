"""What is being measured right now, and how long it will take: one line that is rewritten, or plain lines where there is no terminal."""

import sys
import time


class Progress:
    def __init__(self, stream=sys.stderr):
        self.stream = stream
        self.rewrites = stream.isatty()
        self.started = time.monotonic()
        self.said = -1

    def step(self, number, rounds, index, steps, what):
        done = number + index / steps
        gone = time.monotonic() - self.started
        left = f", about {_clock(gone * (rounds - done) / done)} left" if done > 0.05 else ""
        line = f"round {number + 1} of {rounds}, {index + 1}/{steps}, {_clock(gone)} gone{left}: {what}"
        if self.rewrites:
            self.stream.write(f"\r\x1b[2K{line[:150]}")
        elif int(done * 20) != self.said:
            # Without a terminal, a line for each twentieth of a round is enough.
            self.said = int(done * 20)
            self.stream.write(line + "\n")
        self.stream.flush()

    def end(self):
        if self.rewrites:
            self.stream.write("\r\x1b[2K")
            self.stream.flush()


def _clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
