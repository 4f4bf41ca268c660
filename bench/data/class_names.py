"""What classes are called: those of the catalogue's datasets, in the order of their labels; and what may be a name."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Iterable

from bench.suite.characters import escaped_line
from bench.suite.errors import UserError

LONGEST = 255
"""Characters of a class's name."""

DIGITS = tuple(string.digits)

FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

KUZUSHIJI = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")

LETTERS = tuple(string.ascii_lowercase)
"""EMNIST's 26 letters, small and capital ones together."""

BALANCED = (*string.digits, *string.ascii_uppercase, *"abdefghnqrt")
"""EMNIST's 47 classes: small letters that look like their capitals are one class with them (arXiv 1702.05373)."""

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_CIFAR100 = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
"""
CIFAR100 = tuple(_CIFAR100.split())


def check_names(names: Iterable[str], what: str) -> None:
    """UserError, which begins with `what`, for names of classes from outside that no table or terminal can show.

    They are checked here, where they enter; terminal, page, CSV and Markdown show them as they are.
    """
    known: dict[str, str] = {}
    for name in names:
        shown = f"{escaped_line(name[:40])}..." if len(name) > LONGEST else escaped_line(name)
        if not name.strip():
            raise UserError(f"{what}: the name '{shown}' is blank: give every class a name that can be read")
        if escaped_line(name) != name:
            raise UserError(
                f"{what}: the name '{shown}' has a character that is obeyed and not shown, written out here: "
                "rename the class"
            )
        if len(name) > LONGEST:
            raise UserError(f"{what}: the name '{shown}' has {len(name):,} characters, allowed are {LONGEST}")
        alike = known.setdefault(unicodedata.normalize("NFC", name).strip(), name)
        if alike != name:
            raise UserError(f"{what}: the names {alike!a} and {name!a} look the same: rename one of the classes")
