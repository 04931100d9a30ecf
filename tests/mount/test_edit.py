"""Editing the bytes of variables: each open-write-close is a small transaction on one file."""

import errno
import fcntl
import mmap
import os
import random
import shutil
import subprocess
import threading
import time

import pytest

from mounting import FINE, Mount, bash, cat, environment, fails, run, wait_for_content

SIZES = {'bytes': 10007, 'pages': 16384, 'tiny': 20}


@pytest.fixture
def fresh(tmp_path):
    """Writes other bytes, as many as asked for, into a file outside; and gives both."""
    def make(size):
        content = random.Random(size).randbytes(size)
        path = tmp_path / f'fresh-{size}'
        path.write_bytes(content)
        return path, content
    return make


def saved(mount, name):
    """What is on disk after the unmount."""
    code, said = mount.unmount()
    assert code == FINE, said
    return cat(mount.model, name)


def overwritten(content, offset, part):
    return content[:offset] + part + content[offset + len(part):]


# --------------------------------------------------------------------------------------- in place

@pytest.mark.parametrize('offset', [0, 1, 4095, 4096, 4097, 8190, 9999, 10000])
@pytest.mark.parametrize('size', [1, 2, 7])
def test_a_write_in_place_changes_these_bytes_only(mount, plain_contents, offset, size):
    part = bytes([0xa5]) * size
    with open(mount.file('bytes'), 'r+b', buffering=0) as file:
        assert os.pwrite(file.fileno(), part, offset) == size
    expected = overwritten(plain_contents['bytes'], offset, part)
    assert mount.file('bytes').read_bytes() == expected
    assert saved(mount, 'bytes') == expected


def test_writes_across_block_borders(mount, plain_contents, fresh):
    expected = plain_contents['large']
    _, other = fresh(100_000)
    with open(mount.file('large'), 'r+b', buffering=0) as file:
        for offset in (4090, 8191, (1 << 20) - 50_000, len(expected) - 100_000):
            assert os.pwrite(file.fileno(), other, offset) == len(other)
            expected = overwritten(expected, offset, other)
    assert mount.file('large').read_bytes() == expected
    assert saved(mount, 'large') == expected


def test_one_large_write(mount, plain_contents, fresh):
    _, content = fresh(len(plain_contents['large']))
    with open(mount.file('large'), 'r+b', buffering=0) as file:
        assert os.pwrite(file.fileno(), content, 0) == len(content)
    assert saved(mount, 'large') == content


def test_dd_with_notrunc_writes_in_place(mount, plain_contents, fresh):
    path, part = fresh(1000)
    done = run('dd', f'if={path}', f'of={mount.file("bytes")}', 'bs=10', 'seek=700',
               'conv=notrunc')
    assert done.returncode == 0
    expected = overwritten(plain_contents['bytes'], 7000, part)
    assert mount.file('bytes').read_bytes() == expected
    assert saved(mount, 'bytes') == expected


def test_a_shared_map_writes_in_place(mount, plain_contents):
    with open(mount.file('bytes'), 'r+b') as file, mmap.mmap(file.fileno(), 0) as view:
        view[4090:4100] = b'0123456789'
        view[10006] = 0x7f
        view.flush()
        expected = overwritten(plain_contents['bytes'], 4090, b'0123456789')[:-1] + b'\x7f'
        assert mount.file('bytes').read_bytes() == expected
    assert saved(mount, 'bytes') == expected


def test_a_map_that_is_not_flushed_is_saved_too(mount, plain_contents):
    with open(mount.file('pages'), 'r+b') as file:
        view = mmap.mmap(file.fileno(), 0)
    view[5000:5003] = b'abc'
    view.close()
    assert saved(mount, 'pages') == overwritten(plain_contents['pages'], 5000, b'abc')


def test_a_map_still_dirty_at_a_commit_is_written_with_it(mount, plain_contents):
    with open(mount.file('pages'), 'r+b') as file:
        with mmap.mmap(file.fileno(), 0) as view:
            view[0:3] = b'abc'
            run('sync', '-f', mount.path)
            mount.commit()
            assert cat(mount.model, 'pages') == overwritten(plain_contents['pages'], 0, b'abc')


def test_a_write_is_seen_through_handles_and_maps_opened_before(mount, plain_contents):
    path = mount.file('pages')
    with open(path, 'rb', buffering=0) as reader, \
            mmap.mmap(reader.fileno(), 0, access=mmap.ACCESS_READ) as view:
        assert view[:] == os.pread(reader.fileno(), 16384, 0) == plain_contents['pages']
        with open(path, 'r+b', buffering=0) as file:
            os.pwrite(file.fileno(), b'new', 4095)
        assert os.pread(reader.fileno(), 3, 4095) == view[4095:4098] == b'new'


def test_direct_io_writes_in_place(mount, plain_contents):
    fd = os.open(mount.file('pages'), os.O_RDWR | os.O_DIRECT)
    os.pwrite(fd, b'direct', 4093)
    os.close(fd)
    expected = overwritten(plain_contents['pages'], 4093, b'direct')
    assert mount.file('pages').read_bytes() == expected
    assert saved(mount, 'pages') == expected


@pytest.mark.parametrize('size', [20, 4000, 100_000])
def test_a_write_across_the_end_is_cut_and_then_efbig(mount, plain_contents, size):
    with open(mount.file('bytes'), 'r+b', buffering=0) as file:
        assert os.pwrite(file.fileno(), b'e' * size, 9997) == 10
        with fails(errno.EFBIG):
            os.pwrite(file.fileno(), b'e', 10007)
        with fails(errno.EFBIG):
            os.pwrite(file.fileno(), b'e', 1 << 30)
    assert mount.file('bytes').read_bytes() == plain_contents['bytes'][:-10] + b'e' * 10


def test_appending_to_a_full_variable_is_efbig(mount, plain_contents):
    with open(mount.file('tiny'), 'ab', buffering=0) as file, fails(errno.EFBIG):
        file.write(b'x')
    assert mount.file('tiny').read_bytes() == plain_contents['tiny']


def test_nothing_can_be_written_into_an_empty_tensor(mount):
    with open(mount.file('empty'), 'r+b', buffering=0) as file, fails(errno.EFBIG):
        file.write(b'x')
    mount.file('empty').write_bytes(b'')
    assert mount.file('empty').stat().st_size == 0


@pytest.mark.parametrize('argument, name', [
    ('mlp', 'layer_with_weights-0/kernel'), ('many/many', None), ('sharded/sharded', 'step'),
    ('sliced/sliced', 'plain'), ('dtypes/dtypes', 'int4/matrix'), ('names/names', '%252E'),
    ('keras3', 'variables/3'), ('multi', 'w'), ('tf1', 'layer/b'), ('vocab', 'embedding'),
])
def test_models_of_all_kinds_can_be_edited(copy_of, argument, name):
    with Mount(copy_of(argument)) as m:
        path = m.file(name) if name else \
            next(path for path in m.file('').rglob('*') if path.is_file())
        content = bytes(byte ^ 1 for byte in path.read_bytes())
        path.write_bytes(content)
        relative = path.relative_to(m.path)
    assert cat(m.model, relative) == content


# ------------------------------------------------------------------------------------------ whole

WAYS = {
    'cp': 'cp {new} {f}', 'cat': 'cat {new} > {f}', 'dd': 'dd if={new} of={f} bs=1000',
    'dd with fsync': 'dd if={new} of={f} bs=999 conv=fsync', 'tee': 'tee {f} < {new} >/dev/null',
    'head and tail': '{{ head -c 5 {new}; tail -c +6 {new}; }} > {f}',
    'append': ': > /dev/null; {{ head -c 5 {new}; tail -c +6 {new}; }} | dd of={f} bs=77',
    'cp -p': 'cp -p {new} {f}', 'cp -a': 'cp -a {new} {f}', 'cp --reflink': 'cp --reflink=auto '
    '{new} {f}', 'cp --preserve=xattr': 'cp --preserve=xattr {new} {f}',
    'sh': "sh -c 'cat {new} > {f}'",
}


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('name', SIZES)
def test_programs_overwrite_a_variable(mount, fresh, way, name):
    new, content = fresh(SIZES[name])
    done = bash('set -e; ' + WAYS[way].format(new=new, f=mount.file(name)))
    assert done.returncode == 0, done.stderr
    assert mount.file(name).read_bytes() == content
    assert saved(mount, name) == content


def test_python_overwrites_a_variable(mount, fresh):
    new, content = fresh(10007)
    shutil.copyfile(new, mount.file('bytes'))
    assert mount.file('bytes').read_bytes() == content
    mount.file('bytes').write_bytes(content[::-1])
    with open(mount.file('tiny'), 'wb', buffering=3) as file:
        file.write(content[:20])
    assert mount.file('tiny').read_bytes() == content[:20]
    assert saved(mount, 'bytes') == content[::-1]


@pytest.mark.parametrize('command', [
    'cp {new} {f}', 'dd if={new} of={f}', 'cat {new} > {f}', 'tee {f} < {new}',
    'dd if={new} of={f} conv=fsync', 'sort -o {f} {new}', 'truncate -s 100 {f}',
    "awk 'BEGIN {{ print 1 > \"{f}\" }}'",
])
def test_programs_report_that_too_little_was_written(mount, plain_contents, fresh, command):
    new, _ = fresh(100)
    done = bash(command.format(new=new, f=mount.file('bytes')))
    assert done.returncode != 0
    assert 'Invalid argument' in done.stderr
    wait_for_content(mount.file('bytes'), plain_contents['bytes'])


@pytest.mark.parametrize('command', [
    'cp {new} {f}', 'cat {new} > {f}', 'dd if={new} of={f}', 'truncate -s 10008 {f}'])
def test_programs_report_that_too_much_was_written(mount, plain_contents, fresh, command):
    new, _ = fresh(10008)
    done = bash(command.format(new=new, f=mount.file('bytes')))
    assert done.returncode != 0
    assert 'File too large' in done.stderr
    assert mount.file('bytes').stat().st_size == 10007


def test_too_much_by_one_write_is_cut_so_the_full_content_is_accepted(mount, fresh):
    """As on a full disk: what fits is written, and the program hears of the rest."""
    _, content = fresh(30)
    fd = os.open(mount.file('tiny'), os.O_WRONLY | os.O_TRUNC)
    assert os.write(fd, content) == 20
    with fails(errno.EFBIG):
        os.write(fd, content[20:])
    os.close(fd)
    assert mount.file('tiny').read_bytes() == content[:20]


def test_too_little_is_einval_from_close_and_the_old_content_is_back(mount, plain_contents):
    path = mount.file('bytes')
    file = open(path, 'wb', buffering=0)
    file.write(b'short')
    assert path.read_bytes() == b'short'
    with fails(errno.EINVAL):
        file.close()
    wait_for_content(path, plain_contents['bytes'])
    assert mount.status()['state'] == 'clean'


def test_what_was_dropped_is_in_the_log_and_in_the_status(mount, plain_contents):
    bash(f': > {mount.file("bytes")}')
    wait_for_content(mount.file('bytes'), plain_contents['bytes'])
    dropped, = mount.status()['dropped']
    assert dropped['path'] == 'variables/bytes'
    assert '0 bytes' in dropped['why'] and '10007' in dropped['why']
    assert 'variables/bytes' in mount.log() and dropped['why'] in mount.log()


def test_edits_before_a_dropped_draft_come_back(mount, plain_contents):
    with open(mount.file('bytes'), 'r+b', buffering=0) as file:
        os.pwrite(file.fileno(), b'edit', 6000)
    assert bash(f': > {mount.file("bytes")}').returncode == 0
    expected = overwritten(plain_contents['bytes'], 6000, b'edit')
    wait_for_content(mount.file('bytes'), expected)
    assert saved(mount, 'bytes') == expected


def test_a_child_may_close_too_early_without_a_word(mount, fresh):
    _, content = fresh(20)
    fd = os.open(mount.file('tiny'), os.O_WRONLY | os.O_TRUNC)
    child = subprocess.run(['head', '-c', '7'], input=content, stdout=fd, env=environment())
    assert child.returncode == 0
    os.write(fd, content[7:])
    os.close(fd)
    assert mount.file('tiny').read_bytes() == content


def test_a_close_in_another_thread_of_the_opener_is_told(mount):
    fd, heard = os.open(mount.file('tiny'), os.O_WRONLY | os.O_TRUNC), []

    def close():
        try:
            os.close(fd)
        except OSError as error:
            heard.append(error.errno)

    thread = threading.Thread(target=close)
    thread.start()
    thread.join()
    assert heard == [errno.EINVAL]


def test_each_dup_that_is_closed_too_early_is_told(mount, fresh):
    _, content = fresh(20)
    fd = os.open(mount.file('tiny'), os.O_WRONLY | os.O_TRUNC)
    other = os.dup(fd)
    with fails(errno.EINVAL):
        os.close(other)
    os.write(fd, content)
    os.close(fd)
    assert mount.file('tiny').read_bytes() == content


def test_dd_with_seek_keeps_what_is_before_and_truncates_there(mount, plain_contents, fresh):
    new, content = fresh(7)
    script = f'dd if={new} of={mount.file("bytes")} bs=1 seek=10000 2>/dev/null'
    assert bash(script).returncode == 0
    expected = plain_contents['bytes'][:10000] + content
    assert mount.file('bytes').read_bytes() == expected
    assert saved(mount, 'bytes') == expected


def test_dd_with_seek_that_ends_too_early_is_told(mount, plain_contents, fresh):
    new, _ = fresh(7)
    done = bash(f'dd if={new} of={mount.file("bytes")} bs=1 seek=9000')
    assert done.returncode != 0
    wait_for_content(mount.file('bytes'), plain_contents['bytes'])


# ---------------------------------------------------------------------------------------- truncate

def test_truncate_to_the_own_size_is_nothing(mount, plain_contents):
    os.truncate(mount.file('bytes'), 10007)
    assert mount.file('bytes').read_bytes() == plain_contents['bytes']
    assert mount.status()['state'] == 'clean'


@pytest.mark.parametrize('size, number', [(0, errno.EINVAL), (10006, errno.EINVAL),
                                          (10008, errno.EFBIG), (1 << 40, errno.EFBIG)])
def test_truncate_to_another_size_is_refused(mount, plain_contents, size, number):
    with fails(number):
        os.truncate(mount.file('bytes'), size)
    assert mount.file('bytes').read_bytes() == plain_contents['bytes']


def test_ftruncate_begins_a_draft_that_keeps_what_is_before(mount, plain_contents):
    with open(mount.file('bytes'), 'r+b', buffering=0) as file:
        file.truncate(5000)
        assert mount.file('bytes').read_bytes() == plain_contents['bytes'][:5000]
        file.truncate(10007)
    expected = plain_contents['bytes'][:5000] + bytes(5007)
    assert mount.file('bytes').read_bytes() == expected
    assert saved(mount, 'bytes') == expected


def test_ftruncate_beyond_the_size_is_efbig(mount):
    with open(mount.file('bytes'), 'r+b', buffering=0) as file, fails(errno.EFBIG):
        file.truncate(10008)


def test_a_hole_in_a_draft_is_zeros(mount, plain_contents):
    with open(mount.file('bytes'), 'wb', buffering=0) as file:
        os.pwrite(file.fileno(), b'end', 10004)
    assert mount.file('bytes').read_bytes() == bytes(10004) + b'end'
    assert saved(mount, 'bytes') == bytes(10004) + b'end'


def test_append_to_a_truncated_variable(mount, fresh):
    _, content = fresh(10007)
    fd = os.open(mount.file('bytes'), os.O_WRONLY | os.O_TRUNC | os.O_APPEND)
    for offset in range(0, 10007, 1001):
        os.write(fd, content[offset:offset + 1001])
    os.close(fd)
    assert mount.file('bytes').read_bytes() == content


# ------------------------------------------------------------------------------- several handles

def test_a_draft_is_seen_by_other_readers(mount):
    path = mount.file('bytes')
    with open(path, 'rb', buffering=0) as reader:
        assert os.pread(reader.fileno(), 4, 0) != b'seen'
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
        os.write(fd, b'seen')
        assert os.pread(reader.fileno(), 100, 0) == b'seen'
        assert path.read_bytes() == b'seen' and path.stat().st_size == 4
        assert bash(f'cat {path}').stdout == 'seen'
        with fails(errno.EINVAL):
            os.close(fd)


def test_a_draft_that_is_dropped_leaves_old_handles_and_maps_with_the_old_bytes(
        mount, plain_contents):
    path, expected = mount.file('pages'), plain_contents['pages']
    with open(path, 'rb', buffering=0) as reader, \
            mmap.mmap(reader.fileno(), 0, access=mmap.ACCESS_READ) as view:
        assert view[:4] == expected[:4]
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
        os.write(fd, b'aaaa')
        with fails(errno.EINVAL):
            os.close(fd)
        wait_for_content(path, expected)
        assert os.pread(reader.fileno(), 16384, 0) == expected
        assert view[:] == expected


def test_one_of_two_writers_completes_what_the_other_began(mount, fresh):
    _, content = fresh(10007)
    path = mount.file('bytes')
    first, second = os.open(path, os.O_WRONLY | os.O_TRUNC), os.open(path, os.O_WRONLY)
    os.write(first, content[:5000])
    with fails(errno.EINVAL):
        os.close(first)
    assert path.read_bytes() == content[:5000]
    os.pwrite(second, content[5000:], 5000)
    os.close(second)
    assert path.read_bytes() == content
    assert saved(mount, 'bytes') == content


def test_a_reader_does_not_keep_a_draft_alive(mount, plain_contents):
    path = mount.file('bytes')
    with open(path, 'rb', buffering=0) as reader:
        assert bash(f': > {path}').returncode == 0
        wait_for_content(path, plain_contents['bytes'])
        assert os.pread(reader.fileno(), 10007, 0) == plain_contents['bytes']


def test_after_a_draft_was_accepted_its_handle_writes_in_place(mount, fresh):
    _, content = fresh(20)
    fd = os.open(mount.file('tiny'), os.O_RDWR | os.O_TRUNC)
    os.write(fd, content)
    os.close(os.dup(fd))
    os.pwrite(fd, b'after', 3)
    os.close(fd)
    assert mount.file('tiny').read_bytes() == overwritten(content, 3, b'after')


def test_a_second_truncation_begins_again(mount, fresh):
    _, content = fresh(20)
    fd = os.open(mount.file('tiny'), os.O_WRONLY | os.O_TRUNC)
    os.write(fd, b'x' * 20)
    os.ftruncate(fd, 0)
    os.pwrite(fd, content, 0)
    os.close(fd)
    assert mount.file('tiny').read_bytes() == content


def test_a_commit_takes_the_accepted_content_and_leaves_the_draft(mount, plain_contents, fresh):
    _, content = fresh(10007)
    with open(mount.file('pages'), 'r+b', buffering=0) as other:
        os.pwrite(other.fileno(), b'other', 0)
    fd = os.open(mount.file('bytes'), os.O_WRONLY | os.O_TRUNC)
    os.write(fd, content[:6000])
    mount.commit()
    assert cat(mount.model, 'bytes') == plain_contents['bytes']
    assert cat(mount.model, 'pages')[:5] == b'other'
    assert mount.file('bytes').read_bytes() == content[:6000]
    os.write(fd, content[6000:])
    os.close(fd)
    assert saved(mount, 'bytes') == content


def test_parallel_writers_of_different_variables(mount):
    def write(name):
        rng = random.Random(name)
        for _ in range(20):
            contents[name] = rng.randbytes(SIZES[name])
            mount.file(name).write_bytes(contents[name])

    contents = {}
    threads = [threading.Thread(target=write, args=(name,)) for name in SIZES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: mount.file(name).read_bytes() for name in SIZES} == contents
    code, said = mount.unmount()
    assert (code, {name: cat(mount.model, name) for name in SIZES}) == (FINE, contents), said


# --------------------------------------------------------------------------- attributes and syncs

def test_the_edited_file_has_a_new_mtime_and_no_checksum(mount):
    path, before = mount.file('bytes'), time.time()
    assert 'user.crc32c' in os.listxattr(path)
    path.write_bytes(bytes(10007))
    assert before - 1 <= path.stat().st_mtime <= time.time() + 1
    assert 'user.crc32c' not in os.listxattr(path)
    with fails(errno.ENODATA):
        os.getxattr(path, 'user.crc32c')
    mount.commit()
    assert 'user.crc32c' in os.listxattr(path)


def test_the_status_names_what_is_pending(mount):
    mount.file('tiny').write_bytes(bytes(20))
    mount.file('bytes').write_bytes(bytes(10007))
    assert mount.status()['state'] == 'edited'
    assert mount.pending() == {'variables/tiny', 'variables/bytes'}
    mount.commit()
    assert (mount.status()['state'], mount.pending()) == ('clean', set())
    assert mount.status()['last_commit']


@pytest.mark.parametrize('command', [
    'touch {f}', 'touch -d 2001-01-01 {f}', 'chmod 600 {f}', 'chmod 0644 {f}',
    'chown $(id -u):$(id -g) {f}', 'chgrp $(id -g) {f}', 'touch {f}; chmod u+w {f}'])
def test_harmless_changes_of_attributes_succeed(mount, plain_contents, command):
    done = bash(command.format(f=mount.file('bytes')))
    assert (done.returncode, done.stderr) == (0, '')
    assert mount.file('bytes').read_bytes() == plain_contents['bytes']
    assert mount.status()['state'] == 'clean'


@pytest.mark.parametrize('command', [
    'chown 1234:5678 {f}', 'cp -p {o} {f}', 'cp -a {o} {f}', 'rsync -a --inplace {o} {f}'])
def test_root_copies_the_file_of_another_owner(mount, root, plain_contents, tmp_path, command):
    other, file = tmp_path / 'other', mount.file('bytes')
    other.write_bytes(plain_contents['bytes'][::-1])
    os.chown(other, 1234, 5678)
    done = bash(command.format(f=file, o=other))
    assert (done.returncode, done.stderr) == (0, '')
    expected = plain_contents['bytes'][::1 if 'chown' in command else -1]
    assert file.read_bytes() == expected
    assert (file.stat().st_uid, file.stat().st_gid) == (os.geteuid(), os.getegid())


def test_a_name_that_no_file_can_have(mount):
    for change in (lambda path: path.stat(), lambda path: path.write_bytes(b''),
                   lambda path: path.mkdir(), lambda path: path.symlink_to('x'),
                   lambda path: mount.file('bytes').rename(path)):
        with fails(errno.ENAMETOOLONG):
            change(mount.path / ('x' * 256))
    with fails(errno.ENOENT):
        (mount.path / ('x' * 255)).stat()


def test_copying_a_variable_onto_another_with_all_its_attributes(copy_of):
    with Mount(copy_of('mlp')) as m:
        variables = m.file('optimizer/_variables')
        source, target = variables / '1', variables / '2'
        assert bash(f'cp -a {source} {target}').returncode == 0
        assert target.read_bytes() == source.read_bytes()


def test_the_whole_tree_can_be_copied_out(mount, tmp_path):
    done = bash(f'cp -a {mount.path}/variables {tmp_path}/out')
    assert (done.returncode, done.stderr) == (0, '')
    assert (tmp_path / 'out/bytes').read_bytes() == mount.file('bytes').read_bytes()


@pytest.mark.parametrize('flags', [os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
@pytest.mark.parametrize('sync', [os.fsync, os.fdatasync])
def test_fsync_works_on_any_handle(mount, flags, sync):
    mount.file('tiny').write_bytes(bytes(20))
    fd = os.open(mount.file('tiny'), flags)
    sync(fd)
    os.close(fd)


def test_fsync_of_an_unfinished_draft_succeeds_and_does_not_accept_it(mount, plain_contents):
    fd = os.open(mount.file('bytes'), os.O_WRONLY | os.O_TRUNC)
    os.write(fd, b'unfinished')
    os.fsync(fd)
    with fails(errno.EINVAL):
        os.close(fd)
    wait_for_content(mount.file('bytes'), plain_contents['bytes'])


def test_fsync_of_a_complete_draft_accepts_it(mount, fresh):
    _, content = fresh(20)
    fd = os.open(mount.file('tiny'), os.O_WRONLY | os.O_TRUNC)
    os.write(fd, content)
    os.fsync(fd)
    assert mount.pending() == {'variables/tiny'}
    os.close(fd)
    assert mount.file('tiny').read_bytes() == content


@pytest.mark.parametrize('command', ['sync {m}', 'sync -d {m}', 'sync -f {m}', 'sync {f}',
                                     'sync -d {f}'])
def test_sync_succeeds_and_commits_nothing(mount, plain_contents, command):
    mount.file('tiny').write_bytes(bytes(20))
    assert bash(command.format(m=mount.path, f=mount.file('tiny'))).returncode == 0
    assert cat(mount.model, 'tiny') == plain_contents['tiny']


def test_fallocate_within_the_size_is_fine(mount, plain_contents):
    with open(mount.file('bytes'), 'r+b') as file:
        os.posix_fallocate(file.fileno(), 0, 10007)
        os.posix_fallocate(file.fileno(), 5000, 5007)
        with fails(errno.EFBIG):
            os.posix_fallocate(file.fileno(), 0, 10008)
    assert mount.file('bytes').read_bytes() == plain_contents['bytes']


def test_holes_cannot_be_punched(mount):
    done = run('fallocate', '--punch-hole', '-o', '0', '-l', '4096', mount.file('pages'))
    assert done.returncode != 0 and 'support' in done.stderr


def test_locks_work_between_processes(mount):
    with open(mount.file('tiny'), 'r+b') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert run('flock', '-n', mount.file('tiny'), 'true').returncode == 1


def test_the_kernel_copies_from_one_variable_to_another(mount, plain_contents):
    with open(mount.file('large'), 'rb') as source, open(mount.file('bytes'), 'wb') as target:
        assert os.copy_file_range(source.fileno(), target.fileno(), 5000) == 5000
        assert os.sendfile(target.fileno(), source.fileno(), 5000, 5007) == 5007
    assert mount.file('bytes').read_bytes() == plain_contents['large'][:10007]


def test_writes_by_vectors(mount):
    with open(mount.file('tiny'), 'wb', buffering=0) as file:
        assert os.pwritev(file.fileno(), [b'a' * 7, b'b' * 13], 0) == 20
    assert mount.file('tiny').read_bytes() == b'a' * 7 + b'b' * 13


# --------------------------------------------------------------------------------------- refusals

REFUSED = {
    'create': 'echo x > {m}/variables/new', 'create at the top': 'echo x > {m}/new',
    'mkdir': 'mkdir {m}/variables/new', 'rm': 'rm -f {f}', 'mv': 'mv {f} {f}2',
    'mv over another': 'mv {f} {m}/variables/pages', 'ln': 'ln {f} {f}2',
    'symlink': 'ln -s x {m}/variables/link', 'rmdir': 'rmdir {m}/variables',
    'install': 'install -m 644 /dev/null {f}', 'fifo': 'mkfifo {m}/variables/fifo',
    'tensors.tsv': 'echo x >> {m}/tensors.tsv', 'model.json': ': > {m}/model.json',
}


@pytest.mark.parametrize('what', REFUSED)
def test_what_is_not_possible_is_eperm_with_a_line_in_the_log(mount, plain_contents, what):
    before = mount.log()
    done = bash(REFUSED[what].format(m=mount.path, f=mount.file('bytes')))
    assert done.returncode != 0 and 'Operation not permitted' in done.stderr
    assert len(mount.log().splitlines()) > len(before.splitlines())
    assert mount.file('bytes').read_bytes() == plain_contents['bytes']
    assert mount.status()['state'] == 'clean'


@pytest.mark.parametrize('argument, path', [
    ('mlp', 'config.json'), ('mlp', 'signatures/serving_default.json'),
    ('vocab', 'assets/words.txt')])
def test_what_cannot_be_edited_yet_is_eperm_with_a_line_in_the_log(copy_of, argument, path):
    with Mount(copy_of(argument)) as m:
        file, before = m.path / path, m.log()
        content = file.read_bytes()
        with fails(errno.EPERM):
            file.open('r+b')
        with fails(errno.EPERM):
            file.write_bytes(content)
        with fails(errno.EPERM):
            os.truncate(file, 0)
        assert path.split('/')[-1] in m.log()[len(before):]
        assert file.read_bytes() == content
