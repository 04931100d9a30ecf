"""mapping.py ROUNDS FILE...: the times of summing the floats of each file in a map.

A program of its own, because of NumPy, which the rest needs not.
"""

import mmap
import sys

import numpy

from measure import interleave, timed


def total(path):
    with open(path, 'rb') as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        numbers = numpy.frombuffer(mapped, '<f4')
        result = numbers.sum()
        del numbers  # or the map could not be closed
    return result


def main():
    rounds, *files = sys.argv[1:]
    for path in files:
        total(path)
    print(*interleave(int(rounds), *(timed(lambda p=path: total(p)) for path in files)))


if __name__ == '__main__':
    main()
