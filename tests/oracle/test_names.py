"""One model's weights in another, by their own names: TensorFlow loads what was grafted."""

import shlex

from mounting import Mount, assert_sound, bash


def graft(old, new, folder):
    with Mount(old, 'ro') as source, Mount(new) as target:
        done = bash(f'cp -rL {shlex.quote(str(source.path))}/names/{folder}/. '
                    f'{shlex.quote(str(target.path))}/names/{folder}/')
        assert (done.returncode, done.stderr) == (0, '')
    assert_sound(new)


def test_weights_of_a_checkpoint_in_a_saved_model(copy_of, tensorflow):
    """All of it: both models have the same names, the optimizer's among them."""
    old, new = copy_of('mlp_weights/mlp'), copy_of('mlp')
    with Mount(old) as m:
        for i, path in enumerate(sorted((m.path / 'names').glob('[dp]*/*[!yt]'))):
            path.write_bytes(bytes([0, 0, 0x80 + i, 0x3f]) * (path.stat().st_size // 4))
    graft(old, new, '.')
    expected = tensorflow.keras_weights(str(old))
    assert tensorflow.keras_model(str(new), None)[0] == expected
    assert len({content[:4] for _, _, content in expected}) == 6


def test_weights_of_a_network_whose_optimizer_is_another(copy_of, tensorflow):
    old, new = copy_of('train_slots/ckpt-3'), copy_of('train/ckpt-5')
    before = tensorflow.restore(str(new), False)
    graft(old, new, 'net')
    wanted, after = tensorflow.restore(str(old), True), tensorflow.restore(str(new), False)
    grafted = {'kernel': wanted['kernel'], 'bias': wanted['bias']}
    assert grafted['kernel'] != before['kernel']
    # Each load gives the slots new names, but their order is the same.
    assert list(after.values()) == list({**before, **grafted}.values())
