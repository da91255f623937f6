"""Write what the gateway makes of the golden transcripts anew. The difference is for people to look at."""

from __future__ import annotations

import argparse

from tests.transcripts.golden import transcripts

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.transcripts", description=__doc__)
    parser.add_argument("names", nargs="*", help="only transcripts with one of these words in their name")
    wanted = parser.parse_args().names
    for transcript in transcripts():
        if not wanted or any(word in str(transcript) for word in wanted):
            transcript.write()
            print(transcript)  # noqa: T201
