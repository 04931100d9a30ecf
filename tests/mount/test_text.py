"""text/: the numbers of a tensor as text, read in any part and edited."""

import errno
import os
import random
import re
import struct

import numpy as np
import pytest

from bundle import FLOAT, INT32, STRING, UINT8, Sparse, write_bundle
from models import parse_tsv
from mounting import LEFT_OVER, Mount, SANITIZED, assert_sound, bash, cat, fails, wait_until, work_folders

GIB = 1 << 30
WIDTH = 16  # bytes of a float32 in its line

VALUES = np.linspace(-1, 1, 24, dtype='<f4').reshape(2, 3, 4)
NUMBERS = np.random.default_rng(1).standard_normal((100, 64)).astype('<f4')
NUMBERS[3, 7], NUMBERS[3, 8], NUMBERS[3, 9] = np.nan, np.inf, -0.0
NAN = b'\x01\x02\xa0\xff'  # one with bits that no text shows


@pytest.fixture
def model(tmp_path):
    tensors = {
        'cube': (FLOAT, (2, 3, 4), VALUES.tobytes()),
        'int': (INT32, (5,), struct.pack('<5i', 0, -1, 2, 2**31 - 1, -2**31)),
        'nan': (FLOAT, (3,), struct.pack('<f', 1) + NAN + struct.pack('<f', 2)),
        'none': (FLOAT, (3, 0), b''),
        'numbers': (FLOAT, NUMBERS.shape, NUMBERS.tobytes()),
        'scalar': (FLOAT, (), struct.pack('<f', 0.1)),
        'words': (STRING, (2,), [b'1', b'2']),
    }
    return write_bundle(tmp_path / 'model', tensors)


@pytest.fixture
def m(model):
    with Mount(model) as mounted:
        yield mounted


def text(m, name):
    return m.path / f'text/{name}.txt'


def values(m, name):
    return np.frombuffer(m.file(name).read_bytes(), '<f4')


def as_text(numbers):
    return ''.join(f'{number!r}\n' for number in numbers)


# ------------------------------------------------------------------------------------------ reading

def test_a_matrix_is_lines_of_columns(m):
    lines = text(m, 'numbers').read_text().split('\n')
    assert lines[0] == '# float32 [100, 64]' and lines[-1] == ''
    assert {len(line) for line in lines[1:-1]} == {WIDTH * 64 - 1}
    for line, row in zip(lines[1:-1], NUMBERS, strict=True):
        found = [line[i:i + WIDTH - 1] for i in range(0, len(line), WIDTH)]
        assert found == [word.strip().rjust(WIDTH - 1) for word in found]
        assert np.array(found, '<f4').tobytes() == row.tobytes()


def test_each_matrix_says_where_it_stands(m):
    lines = text(m, 'cube').read_text().split('\n')
    assert lines[0] == '# float32 [2, 3, 4]'
    assert [line for line in lines[1:] if line.startswith('#')] == ['# [0, :, :]', '# [1, :, :]']
    assert lines[1].startswith('#') and lines[5].startswith('#') and len(lines) == 10


@pytest.mark.parametrize('name, expected', [
    ('scalar', '# float32 []\n            0.1\n'),
    ('none', '# float32 [3, 0]\n'),
    ('int', '# int32 [5]\n          0\n         -1\n          2\n 2147483647\n-2147483648\n'),
    ('nan', '# float32 [3]\n              1\n            nan\n              2\n')])
def test_small_ones(m, name, expected):
    assert text(m, name).read_text() == expected
    assert text(m, name).stat().st_size == len(expected)


def test_strings_are_no_numbers(m):
    assert sorted(os.listdir(m.path / 'text')) == ['cube.txt', 'int.txt', 'nan.txt', 'none.txt',
                                                   'numbers.txt', 'scalar.txt']


def test_numpy_reads_all_that_are_numbers_to_it(copy_of):
    with Mount(copy_of('dtypes/dtypes')) as m:
        rows = [row for row in parse_tsv((m.path / 'tensors.tsv').read_bytes()).values()
                if row['dtype'] not in ('string', 'variant') and 'dtype-' not in row['dtype']]
        for row in rows:
            path = row['path'].removeprefix('variables/')
            assert text(m, path).read_text().startswith(f'# {row["dtype"]} {row["shape"]}\n')
            expected = np.load(m.path / f'npy/{path}.npy')
            if expected.dtype.kind in 'fiuc' and expected.size:
                found = np.loadtxt(text(m, path), expected.dtype, ndmin=1)
                assert found.tobytes() == expected.tobytes()
        assert len(rows) > 20


def test_any_part_is_the_part_of_the_whole(m):
    path, rng = text(m, 'numbers'), random.Random(5)
    whole = path.read_bytes()
    for _ in range(20):
        at = rng.randrange(len(whole))
        n = rng.choice([1, 17, 4096, 100_000])
        with path.open('rb', buffering=0) as file:
            assert os.pread(file.fileno(), n, at) == whole[at:at + n]
        assert bash(f'dd if={path} bs=1 skip={at} count=50 status=none').stdout.encode() \
            == whole[at:at + 50]
    assert bash(f'head -n 1 {path}; tail -c 20 {path}').stdout.encode() == \
        whole[:20] + whole[-20:]


def test_tools_of_columns_work_on_it(m):
    path = text(m, 'numbers')
    done = bash(f"grep -v '#' {path} | awk '{{ n += NF }} END {{ print NR, n }}'")
    assert done.stdout == '100 6400\n'
    assert float(bash(f"awk 'NR == 12 {{ print $6 }}' {path}").stdout) == pytest.approx(NUMBERS[10, 5])


# ---------------------------------------------------------------------------------------- very large

@pytest.fixture
def huge(tmp_path):
    """10 GiB of zeros in a file without blocks, but for the first number and the last."""
    last = struct.pack('<f', 2.5)
    return write_bundle(tmp_path / 'huge', {
        'w': (FLOAT, (5 * 1024, 512, 1024), Sparse(struct.pack('<f', -1), 10 * GIB - 8, last))})


def memory(m):
    return int(re.search(r'RssAnon:\s+(\d+)', open(f'/proc/{m.pid}/status').read())[1]) << 10


def test_a_large_tensor_has_its_text_at_once(huge):
    with Mount(huge) as m:
        path = text(m, 'w')
        head = len('# float32 [5120, 512, 1024]\n')
        comment = len('# [5119, :, :]\n')
        assert path.stat().st_size == head + 5120 * (comment + 512 * 1024 * WIDTH)
        before = memory(m)
        assert bash(f'head -n 3 {path} | cut -c 1-40').stdout == \
            '# float32 [5120, 512, 1024]\n# [0, :, :]   \n             -1               0         \n'
        assert bash(f'tail -c 32 {path}').stdout == '              0             2.5\n'
        middle = head + 2560 * (comment + 512 * 1024 * WIDTH)
        assert bash(f'dd if={path} bs=1 skip={middle} count=15 status=none').stdout == \
            '# [2560, :, :]\n'
        bash(f'head -c 100000000 {path} | tail -c +50000000 > /dev/null')
        # The address sanitizer keeps what was freed.
        assert SANITIZED or memory(m) - before < 8 << 20


# ----------------------------------------------------------------------------------------- editing

NEW = np.arange(6400, dtype='<f4').reshape(100, 64) / 7

WAYS = {
    'savetxt': lambda path: np.savetxt(path, NEW),
    'savetxt, commas': lambda path: np.savetxt(path, NEW, fmt='%.9g', delimiter=','),
    'one a line': lambda path: path.write_text(as_text(NEW.ravel().tolist())),
    'all in a line': lambda path: path.write_text(as_text(NEW.ravel().tolist()).replace('\n', ' ')),
    'with its head': lambda path: path.write_text('# float32 [100, 64]\n' +
                                                  as_text(NEW.ravel().tolist())),
}


@pytest.mark.parametrize('way', WAYS)
def test_what_is_written_is_saved(m, way):
    WAYS[way](text(m, 'numbers'))
    assert m.file('numbers').read_bytes() == NEW.tobytes()
    assert np.loadtxt(text(m, 'numbers'), 'f4').tobytes() == NEW.tobytes()
    assert (m.path / 'npy/numbers.npy').read_bytes().endswith(NEW.tobytes())
    assert m.pending() == {'variables/numbers'}
    m.unmount()
    assert cat(m.model, 'numbers') == NEW.tobytes()
    assert_sound(m.model)


def test_a_number_is_changed_in_place(m):
    path = text(m, 'numbers')
    at = len('# float32 [100, 64]\n') + (10 * 64 + 5) * WIDTH
    done = bash(f'printf %15s 42.5 | dd of={path} bs=1 seek={at} conv=notrunc status=none')
    assert (done.returncode, done.stderr) == (0, '')
    expected = NUMBERS.copy()
    expected[10, 5] = 42.5
    assert m.file('numbers').read_bytes() == expected.tobytes()
    assert path.read_bytes()[at:at + WIDTH] == b'           42.5 '


def test_the_links_lead_to_it(copy_of):
    with Mount(copy_of('mlp')) as m:
        path = m.path / 'names/dense_1/bias.txt'
        path.write_text(as_text(range(64)))
        assert m.file('layer_with_weights-0/bias').read_bytes() == struct.pack('<64f', *range(64))
        assert path.samefile(m.path / 'layers/dense_1/bias.txt')


def test_vim_changes_a_number_where_it_may_not_rename(m):
    path = text(m, 'numbers')
    done = bash(f"vim -es -u NONE -c 'set backupcopy=yes nowritebackup' -c '2s/^ *[^ ]*/7/' -c wq {path}",
                stdin=open(os.devnull))
    assert done.returncode == 0, done.stdout
    assert values(m, 'numbers')[0] == 7
    assert values(m, 'numbers')[1:].tobytes() == NUMBERS.ravel()[1:].tobytes()


def test_only_blocks_that_change_are_stored(tmp_path):
    numbers = np.zeros((1024, 1024), '<f4')
    with Mount(write_bundle(tmp_path / 'model', {'w': (FLOAT, (1024, 1024), numbers.tobytes())})) as m:
        lines = text(m, 'w').read_text().split('\n')
        for row in (4, 900):
            lines[1 + row] = '1 ' * 1024
        text(m, 'w').write_text('\n'.join(lines))
        stored = os.stat(work_folders(m.model)[0] / 'data.0').st_blocks * 512
        assert stored <= 16384
        numbers[[4, 900]] = 1
        assert m.file('w').read_bytes() == numbers.tobytes()
        assert m.status()['dropped'] == []


def test_a_number_that_is_written_back_keeps_its_bits(m):
    path = text(m, 'nan')
    path.write_text(path.read_text())
    assert m.pending() == set()
    path.write_text(path.read_text().replace(' 1\n', ' 3\n'))
    assert m.file('nan').read_bytes() == struct.pack('<f', 3) + NAN + struct.pack('<f', 2)


REFUSED = {
    'no number': ('int', '1 2 3 4\n  five', 'line 2, column 3: "five" is no number'),
    'a fraction': ('int', '1\n2.5', 'line 2, column 1: "2.5" has a fraction, and int32 is of integers'),
    'out of range': ('int', '1 2147483648', 'line 1, column 3: "2147483648" is out of the range of int32'),
    'too large': ('scalar', '1e39', 'line 1, column 1: "1e39" is out of the range of float32'),
    'too few': ('int', '1 2 3\n4\n', 'line 3: the text ends after 4 numbers, the tensor has 5'),
    'too many': ('int', '1,2,3\n4,5,6', 'line 2, column 5: "6" is one too many: the tensor has 5 numbers'),
    'another dtype': ('int', '# int64 [5]\n1 2 3 4 5', 'a text cannot change its dtype or shape'),
    'another shape': ('cube', '# float32 [24]\n' + '1 ' * 24, 'a text cannot change its dtype or shape'),
    'an array': ('cube', '[[1, 2', 'line 1, column 1: "[[1" is no number'),
}


@pytest.mark.parametrize('why', REFUSED)
def test_a_bad_text_is_refused_and_the_old_one_is_back(m, why):
    name, content, says = REFUSED[why]
    path = text(m, name)
    before, raw = path.read_bytes(), m.file(name).read_bytes()
    with fails(errno.EINVAL):
        path.write_text(content)
    wait_until(lambda: says in m.log(), 'the log says why')  # RELEASE comes by itself
    assert path.read_bytes() == before and path.stat().st_size == len(before)
    assert m.file(name).read_bytes() == raw
    assert m.pending() == set()
    assert [dropped['path'] for dropped in m.status()['dropped']] == [f'text/{name}.txt']


def test_a_bad_text_takes_nothing_of_earlier_edits(m):
    text(m, 'int').write_text('1 2 3 4 5')
    with fails(errno.EINVAL):
        text(m, 'int').write_text('6 7 8 9 x')
    assert m.file('int').read_bytes() == struct.pack('<5i', *range(1, 6))


def test_an_fsync_accepts_and_every_view_hears_of_it(m):
    file = text(m, 'int')
    shown = file.read_bytes()
    with open(file, 'wb', buffering=0) as writer:
        writer.write(b'5 4 3 2 1')
        assert struct.unpack('<5i', m.file('int').read_bytes())[1] == -1
        os.fsync(writer.fileno())
    assert m.file('int').read_bytes() == struct.pack('<5i', 5, 4, 3, 2, 1)
    assert len(file.read_bytes()) == len(shown)
    assert file.read_text().split('\n')[1:3] == [' ' * 10 + '5', ' ' * 10 + '4']


def test_what_is_written_elsewhere_is_seen_in_the_text(m):
    path = text(m, 'int')
    with path.open('rb', buffering=0) as file:
        assert b' 2147483647\n' in os.pread(file.fileno(), 4096, 0)
        m.file('int').write_bytes(struct.pack('<5i', 5, 4, 3, 2, 1))
        expected = '# int32 [5]\n' + ''.join(f'{i:11}\n' for i in (5, 4, 3, 2, 1))
        assert os.pread(file.fileno(), 4096, 0).decode() == path.read_text() == expected
        with m.file('int').open('r+b', buffering=0) as raw:
            raw.write(struct.pack('<i', -7))
        assert path.read_text() == os.pread(file.fileno(), 4096, 0).decode() == \
            expected.replace('  5\n', ' -7\n')


def test_a_text_shows_what_was_accepted_while_the_bytes_have_a_draft(m):
    before = text(m, 'int').read_bytes()
    with m.file('int').open('wb', buffering=0) as raw:
        raw.write(struct.pack('<5i', 5, 4, 3, 2, 1))
        assert text(m, 'int').read_bytes() == before
    assert text(m, 'int').read_bytes() != before


def test_a_text_is_an_edit_that_survives_a_kill(model):
    with Mount(model) as m:
        text(m, 'numbers').write_text(as_text(NEW.ravel().tolist()))
        fd = os.open(text(m, 'int'), os.O_WRONLY | os.O_TRUNC)
        os.write(fd, b'1 2 3')
        m.give_up()
        with pytest.raises(OSError):
            os.close(fd)
    with Mount(model) as m:
        assert '1 unfinished draft' in m.said
        assert m.file('numbers').read_bytes() == NEW.tobytes()
        assert text(m, 'int').read_text().split()[3:] == ['0', '-1', '2', '2147483647', '-2147483648']
        assert m.unmount()[0] == LEFT_OVER
    assert cat(model, 'numbers') == NEW.tobytes()


def test_texts_of_what_cannot_be_edited_are_read_only(model, copy_of):
    with Mount(model, 'ro') as m:
        assert text(m, 'int').stat().st_mode & 0o222 == 0
        with fails(errno.EROFS):
            text(m, 'int').write_text('1 2 3 4 5')
    with Mount(copy_of('v1/v1.ckpt')) as m:
        paths = list((m.path / 'text').rglob('*.txt'))
        assert paths and all(path.read_text().startswith('# ') for path in paths)


def test_a_key_that_ends_in_txt(tmp_path):
    tensors = {'a': (UINT8, (1,), b'\1'), 'a.txt': (UINT8, (1,), b'\2')}
    with Mount(write_bundle(tmp_path / 'model', tensors)) as m:
        assert sorted(os.listdir(m.path / 'variables')) == ['a', 'a%2Etxt']
        assert sorted(os.listdir(m.path / 'text')) == ['a%2Etxt.txt', 'a.txt']
        assert text(m, 'a%2Etxt').read_text().split()[-1] == '2'
        assert sorted(os.listdir(m.path / 'names')) == [
            'a', 'a%2Etxt', 'a%2Etxt.npy', 'a%2Etxt.txt', 'a.npy', 'a.txt']
