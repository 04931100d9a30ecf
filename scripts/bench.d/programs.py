"""The rows of whole programs: to the first value, all values into NumPy, a check of all checksums."""

import ctypes
import mmap
import os
import subprocess
from pathlib import Path

from counts import Count
from measure import (MIB, Skipped, evict, interleave, numpy_python, read_through, run, spawn,
                     speed, timed)
from mounts import Mount, shard_of

FIRST_VALUE = """
import sys, tensorflow
print(tensorflow.train.load_checkpoint(sys.argv[1]).get_tensor('small')[0])
"""
ALL_BY_TENSORFLOW = """
import sys, tensorflow
reader = tensorflow.train.load_checkpoint(sys.argv[1])
for name in reader.get_variable_to_shape_map():
    reader.get_tensor(name)
"""
ALL_BY_NUMPY = """
import pathlib, sys, numpy
for path in pathlib.Path(sys.argv[1]).rglob('*.npy'):
    numpy.load(path)
"""
SAVETXT = """
import sys, time, numpy
numbers = numpy.load(sys.argv[1])
start = time.perf_counter()
numpy.savetxt(sys.argv[2], numbers)
print(time.perf_counter() - start)
"""
PIECE = 16 << 20


def tensorflow_python():
    python = os.environ.get('WEIGHTFS_TF_PYTHON')
    if not python:
        raise Skipped('needs a Python that has it, by $WEIGHTFS_TF_PYTHON')
    return python


def against_tensorflow(bench, mount, script, ours):
    """Medians: of a script for TensorFlow with the model, and of ours, which begins unmounted."""
    python = tensorflow_python()
    environment = {**os.environ, 'CUDA_VISIBLE_DEVICES': '-1'}  # graphics cards only delay it
    return interleave(
        bench.rounds,
        timed(lambda: run(python, '-c', script, mount.prefix, env=environment)),
        timed(ours, mount.unmount))


def first_value(bench):
    """first value, process start included, against TensorFlow"""
    with Mount(bench, bench.one) as mount:
        def print_first():
            spawn(*mount.command())
            spawn('od', '-An', '-tf4', '-N4', mount.file('small'))
        theirs, ours = against_tensorflow(bench, mount, FIRST_VALUE, print_first)
    yield speed('first value, process start included: TensorFlow', theirs, ours, 100)


def into_numpy(bench):
    """all tensors into NumPy, process start included, against TensorFlow"""
    python = tensorflow_python()
    with Mount(bench, bench.pieces) as mount:
        def load_all():
            spawn(*mount.command())
            spawn(python, '-c', ALL_BY_NUMPY, mount.path / 'npy')
        theirs, ours = against_tensorflow(bench, mount, ALL_BY_TENSORFLOW, load_all)
    yield speed('all tensors into NumPy, start included: TensorFlow', theirs, ours, 3)


def checksum_loop(path):
    """A job: the checksum of a file's bytes, mapped, by the library that weightctl has, too."""
    library = ctypes.CDLL('libisal.so.2')
    library.crc32_iscsi.argtypes = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint

    def sum_up():
        with open(path, 'rb') as file, mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE) as mapped:
            begin, size = ctypes.c_char.from_buffer(mapped), len(mapped)
            for offset in range(0, size, PIECE):
                library.crc32_iscsi(ctypes.addressof(begin) + offset,
                                    min(PIECE, size - offset), 0xffffffff)
            del begin  # or the map could not be closed
    return timed(sum_up)


def on_one_processor(job):
    """The same job, and what it starts, on one processor."""
    def alone():
        allowed = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(allowed)})
        try:
            return job()
        finally:
            os.sched_setaffinity(0, allowed)
    return alone


def check(bench):
    """weightctl check, hot"""
    if 'sse4_2' not in Path('/proc/cpuinfo').read_text():
        raise Skipped('needs a processor with SSE4.2')
    program, data = bench.build / 'weightctl', shard_of(bench.pieces)
    ours = timed(lambda: spawn(program, 'check', bench.pieces))
    read_through(data)
    loop, one, two = interleave(bench.rounds, on_one_processor(checksum_loop(data)),
                                on_one_processor(ours), ours)
    yield speed('weightctl check, hot, a thread: crc32_iscsi', loop, one, 0.9)
    if len(os.sched_getaffinity(0)) < 2:
        raise Skipped('two threads need two processors')
    yield speed('  two threads: one', one, two, 1.7)


def text(bench):
    """a tensor as text, against np.savetxt"""
    python, target = numpy_python(), bench.path('text')
    with Mount(bench, bench.pieces) as mount:
        path = mount.path / 'text/b/00.txt'
        if not path.exists():
            raise Skipped('this build has none')

        def savetxt():
            done = run(python, '-c', SAVETXT, mount.path / 'npy/b/00.npy', target,
                       stdout=subprocess.PIPE)
            return float(done.stdout)
        theirs, ours = interleave(min(3, bench.rounds), savetxt,
                                  timed(lambda: read_through(path), lambda: evict(path)))
        row = speed(f'{PIECE // MIB} MiB of numbers as text: np.savetxt', theirs, ours, 20,
                    [Count(mount.anonymous() / MIB, 'MiB of memory', 24)])
    target.unlink()
    yield row
