import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fmnist_utils.data.download import load_data
from fmnist_utils.data.fashion_mnist import FACTS, DataError, FashionMNIST, official_fingerprint
from fmnist_utils.data.synthetic import draw, load_synthetic


@pytest.fixture(scope="module")
def garments() -> FashionMNIST:
    return load_synthetic(6_000, 1_000, seed=1)


def test_the_form_is_that_of_the_real_data(garments: FashionMNIST) -> None:
    assert garments.source == "synthetic"
    assert garments.train_images.shape == (6_000, 28, 28)
    assert garments.test_images.shape == (1_000, 28, 28)
    assert garments.train_images.dtype == garments.train_labels.dtype == np.uint8
    assert np.bincount(garments.train_labels).tolist() == [600] * 10
    assert np.bincount(garments.test_labels).tolist() == [100] * 10
    with pytest.raises(ValueError, match="read-only"):
        garments.train_images[0, 0, 0] = 1


def test_the_classes_are_mixed(garments: FashionMNIST) -> None:
    assert len(np.unique(garments.train_labels[:100])) == 10


def test_bright_garments_lie_on_a_black_ground(garments: FashionMNIST) -> None:
    images = garments.train_images
    assert images.max() == 255
    assert 0.3 < (images == 0).mean() < 0.8
    assert (images[:, [0, 0, -1, -1], [0, -1, 0, -1]] == 0).mean() > 0.97
    assert (images.max(axis=(1, 2)) > 30).all()


def test_no_image_comes_twice(garments: FashionMNIST) -> None:
    images = np.concatenate([garments.train_images, garments.test_images])
    assert len({image.tobytes() for image in images}) == len(images)


def test_the_seed_alone_decides() -> None:
    first = load_synthetic(20, 10, seed=3)
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    draw(4, 5)
    load_synthetic(30, 10, seed=4)
    load_synthetic.cache_clear()
    again = load_synthetic(20, 10, seed=3)
    assert again is not first
    assert again.fingerprint == first.fingerprint
    assert load_synthetic(20, 10, seed=5).fingerprint != first.fingerprint
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_the_fingerprint_is_not_that_of_the_real_data(garments: FashionMNIST) -> None:
    assert garments.fingerprint != official_fingerprint()


@pytest.mark.slow
def test_load_data_gives_the_full_size() -> None:
    synthetic = load_data("synthetic")
    assert synthetic.train_images.shape == FACTS["train_images_shape"]
    assert synthetic.test_images.shape == FACTS["test_images_shape"]
    assert load_data("synthetic") is synthetic


@pytest.mark.parametrize("sizes", [(0, 10), (10, 0), (15, 10), (10, 15), (-10, 10)])
def test_sizes_that_cannot_be_balanced_are_an_error(sizes: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="multiple of 10"):
        load_synthetic(*sizes)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_linear_model_learns_but_does_not_master_them(garments: FashionMNIST) -> None:
    train, test = (
        (images / np.float32(255)).reshape(-1, 784)
        for images in (garments.train_images, garments.test_images)
    )
    model = LogisticRegression(C=0.1, max_iter=30).fit(train, garments.train_labels)
    wrong = model.predict(test) != garments.test_labels
    assert 0.7 < 1 - wrong.mean() < 0.95
    # What people confuse in the real data is confused here too: tops with tops, not with shoes.
    names = np.array(garments.class_names)
    tops = ["T-shirt/top", "Pullover", "Dress", "Coat", "Shirt"]
    assert np.isin(names[garments.test_labels[wrong]], tops).mean() > 0.7
