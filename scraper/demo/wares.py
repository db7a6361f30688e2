"""What the demo shop sells: a few word lists and a seeded random generator make every product, always the same."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from scraper.demo.layout import slug


@dataclass(frozen=True, slots=True)
class Category:
    """A shelf of the shop: its name, what it holds, its price range in whole units and the titles on it."""

    name: str
    about: str
    kind: str
    cheapest: int
    dearest: int
    tags: tuple[str, ...]
    titles: tuple[str, ...]

    @property
    def path(self) -> str:
        """Path of its first page."""
        return f"/category/{slug(self.name)}"


@dataclass(frozen=True, slots=True)
class Product:
    """One thing on sale; `cents` is the price in hundredths of `currency` (GBP or EUR)."""

    sku: str
    title: str
    category: Category
    maker: str
    cents: int
    currency: str
    stock: int
    stars: int
    reviews: int
    upc: str
    tags: tuple[str, ...]
    description: tuple[str, ...]

    @property
    def path(self) -> str:
        """Path of its page."""
        return "/product/" + "-".join(filter(None, (slug(self.title), self.sku.lower())))

    @property
    def image(self) -> str:
        """Path of its picture."""
        return f"/images/{self.sku.lower()}.svg"

    @property
    def price(self) -> str:
        """As printed: ``£12.50``, or ``1.234,50 €`` for what comes from the Continent."""
        amount = f"{self.cents / 100:,.2f}"
        return f"£{amount}" if self.currency == "GBP" else amount.translate(_SWAP) + " €"


_SWAP: Final = str.maketrans(",.", ".,")

CATEGORIES: Final = (
    Category(
        "Fiction", "Novels for long trains and short evenings.", "book", 7, 22,
        ("novel", "debut", "family", "mystery", "seaside", "translated"),
        ("The Ferryman’s Second Winter", "A House with Seven Clocks", "What the Beekeeper Withheld", "Marzipan Street",
         "The Understudy of Trieste", "Nine Letters to Ólafur", "Salt in the Piano", "The Last Tram to Łódź",
         "An Unfinished Staircase", "Every Second Tuesday", "The Cartographer’s Niece",
         "Quiet Hours at the Observatory", "Lanterns for Señora Ibáñez"),
    ),
    Category(
        "Poetry", "Slim volumes, best read aloud to a kettle.", "book", 6, 16,
        ("verse", "haiku", "sonnets", "bilingual", "pamphlet"),
        ("Small Weather", "Forty Ways to Fold a River", "Äpfel und Asche", "The Grammar of Gulls",
         "Rooms without Corners", "Half-Past Heron", "A Ladder of Breath", "Ink before Breakfast",
         "Ode to the Number 12 Bus", "灯台の詩", "Thistle, Comma, Rain", "The Patience of Stones",
         "Notes from a Borrowed Field"),
    ),
    Category(
        "Travel", "Other people’s journeys, told well.", "book", 9, 28,
        ("railways", "walking", "islands", "on foot", "by bicycle", "photographs"),
        ("Sleeping Cars of the Far North", "By Slow Boat to Tromsø", "Twelve Harbours", "Crossing the Karst on Foot",
         "A Bicycle in Brittany", "The Kiosks of Lisbon", "Night Market, Morning Market", "Café Tables of Kraków",
         "The Wrong Train to Zürich", "Islands You Can Walk Across", "Passports and Plums", "Beyond the Last Bus Stop",
         "A Winter in the Faroes"),
    ),
    Category(
        "Nature", "Hedgerows, tides, and what lives under the shed.", "book", 10, 32,
        ("birds", "gardens", "field guide", "coast", "illustrated", "trees"),
        ("The Secret Lives of Puddles", "A Field Guide to Garden Walls", "Owls at the Edge of Town",
         "Moss: A Slow History", "Reading the Tideline", "The Hedge in Four Seasons", "Swifts over the Gasworks",
         "Lichens for the Impatient", "A Pocketful of Acorns", "The Otter’s Timetable", "Rain and Where It Goes",
         "Moths by Lamplight", "Fjäll: Plants of the High North"),
    ),
    Category(
        "Cookery", "Recipes that work on a Tuesday.", "book", 12, 35,
        ("baking", "vegetarian", "soups", "preserving", "quick", "feasts"),
        ("Smörgåsbord for Two", "One Pot, Many Cousins", "Bread on a Small Island", "The Pickle Year",
         "Soup before Anything", "Crème and Crumb", "Dumplings of Five Borders", "The Unhurried Onion",
         "Supper at the Allotment", "A Jar of Summer", "Jalapeño Diaries", "Noodles after Midnight",
         "The Weeknight Pie"),
    ),
    Category(
        "History", "The past, with footnotes worth reading.", "book", 11, 38,
        ("archives", "ships", "cities", "everyday life", "maps", "letters"),
        ("The Guild of Spectacle Makers", "A Short History of Queues", "Sugar, Rope and Tar",
         "The Parliament of Pedlars", "Canals and Quarrels", "Who Wound the Town Clock", "Ledgers of the Spice Quay",
         "The Winter the Thames Stood Still", "Umbrellas: A Social History", "The Postmaster of Århus",
         "Women of the Printing House", "The Bridge-Builders’ War", "Before the Railway Came"),
    ),
    Category(
        "Stationery", "Paper and the things that mark it.", "thing", 3, 60,
        ("paper", "desk", "refillable", "handmade", "gift"),
        ("Brass Fountain Pen", "Linen Notebook, Dotted", "Box of Sealing Wax", "Walnut Pencil Tray",
         "Marbled Writing Paper", "Travel Ink Bottle", "Beech Ruler, 30 cm", "Letter Opener ‘Héron’",
         "Perpetual Desk Calendar", "Set of Six Graphite Sticks", "Blotter with Oak Knob", "Cloth-Bound Address Book",
         "Pocket Sketchbook"),
    ),
    Category(
        "Kitchen", "Useful, plain and hard to break.", "thing", 5, 140,
        ("enamel", "stoneware", "dishwasher-safe", "beech", "gift"),
        ("Enamel Milk Pan", "Stoneware Mug, Tide Blue", "Beech Rolling Pin", "Copper Jam Kettle",
         "Two-Handled Soup Bowl", "Cast-Iron Skillet", "Linen Tea Towel", "Bread Crock with Lid", "Sprig Tea Strainer",
         "Olive-Wood Salt Box", "Pâtisserie Tin, Fluted", "Hand-Turned Pepper Mill", "Breakfast Tray"),
    ),
    Category(
        "Maps & Globes", "For finding out where you are, or would like to be.", "thing", 15, 120,
        ("antique style", "wall map", "hand-finished", "illuminated", "large"),
        ("Library Globe on Walnut Stand", "Celestial Globe, 32 cm", "Wall Map of the Northern Seas",
         "Folding Pocket Globe", "Chart of Imaginary Islands", "Brass Orrery", "Relief Map of the Tatra",
         "Star Finder", "Map Case in Waxed Canvas", "Desk Globe ‘São Miguel’", "River Atlas, Loose-Leaf", "Moon Globe",
         "Tidal Chart of the Estuary"),
    ),
    Category(
        "Lamps & Light", "Reading lamps, lanterns and candles.", "thing", 8, 110,
        ("brass", "reading", "dimmable", "hand-blown", "outdoor"),
        ("Harbour Lantern", "Brass Reading Lamp", "Hand-Blown Pendant ‘Böhmen’", "Beeswax Candles, Set of Four",
         "Clip-On Book Light", "Ship’s Wheelhouse Lamp", "Paper Moon Lampshade", "Green Glass Banker’s Lamp",
         "Storm Candle Holder", "Adjustable Floor Lamp", "Chandelier ‘Ljus’", "Window-Sill Nightlight",
         "Lighthouse Table Lamp"),
    ),
)  # fmt: skip

#: The showpieces' prices in whole units, out of their shelf's range; some in euro, with a thousands separator.
_SHOWPIECES: Final = {
    "Library Globe on Walnut Stand": (1234, "EUR"),
    "Brass Orrery": (2180, "EUR"),
    "Ship’s Wheelhouse Lamp": (1190, "GBP"),
    "Chandelier ‘Ljus’": (1450, "EUR"),
}

_AUTHORS: Final = (
    "Maren Tolliver", "Idris Quayle", "Agnieszka Wójtowicz-Hale", "Teodor Brandvik", "Noor Ashdown",
     "Céline Marchbanks", "Rafael Ondarra", "Hana Mizushima", "Bertil Sjögren-Poole", "Oona Fairweather",
     "Tomasz Grzelak", "Lucía Peñarroya", "Ewan Strachan-Bell", "Priya Vantongeren", "Jürgen Dachselt",
     "Mirela Donchev",
)  # fmt: skip
_WORKSHOPS: Final = (
    "Copperfold Works", "Atelier Sauvagnac", "Nordlys & Daughters", "Tidewright Pottery", "Huss & Hollin",
     "Werkstatt Ahornweg", "Pellam Brothers", "Officina Torrevento",
)  # fmt: skip
_BOOK_LINES: Final = (
    ("{maker} spent {years} years on this book, and nothing in it is hurried.",
     "A book to lend with a warning: you may not see it again for a while.",
     "{maker} writes as if talking across a kitchen table, late, with the good biscuits out.",
     "We put one copy in the window and sold {years} before lunch."),
    ("The chapters are short, the jokes are dry, and the ending is earned.",
     "It begins with a missed connection and ends somewhere nobody could have booked a ticket to.",
     "The middle part alone, with its long conversation in the rain, is worth the price.",
     "Every page knows something about patience, and about the people who run out of it."),
    ("This edition has sewn pages, a ribbon and {pages} pages of uncoated paper.",
     "Paperback with flaps, {pages} pages, printed on paper that does not mind a bath.",
     "The cloth binding comes in three colours; we send whichever is nearest the door. {pages} pages."),
)  # fmt: skip
_THING_LINES: Final = (
    ("Made in small batches by {maker}, who have done little else for {years} years.",
     "{maker} send us a crate of these every spring, packed in straw.",
     "The kind of thing that is borrowed once and then bought."),
    ("It is heavier than it looks, sits flat, and ages well.",
     "No screws, no batteries, nothing to update.",
     "Small differences between pieces are the maker’s hand, not a fault.",
     "It has survived our own back room, which is a stricter test than any laboratory’s."),
    ("Wipe it with a dry cloth and it will outlast the shelf it stands on.",
     "If a part ever breaks, write to us: spare parts cost no more than postage.",
     "It comes in a plain box with a hand-written label."),
)  # fmt: skip


def products() -> list[Product]:
    """Everything on sale, shelf by shelf; the same at every call."""
    pick = random.Random("harbour-and-quill")
    return [
        _product(pick, number, category, title)
        for number, (category, title) in enumerate(((c, t) for c in CATEGORIES for t in c.titles), start=1)
    ]


def _product(pick: random.Random, number: int, category: Category, title: str) -> Product:
    book = category.kind == "book"
    maker = pick.choice(_AUTHORS if book else _WORKSHOPS)
    # Cubing leans the draw to the cheap end of the range, as on real shelves.
    units = category.cheapest + int((category.dearest - category.cheapest) * pick.random() ** 3)
    units, currency = _SHOWPIECES.get(title, (units, "EUR" if number % 5 == 3 else "GBP"))
    numbers = {"maker": maker, "years": str(pick.randint(3, 40)), "pages": str(pick.randint(96, 512))}
    return Product(
        sku=f"{'BK' if book else 'GD'}-{number:04}",
        title=title,
        category=category,
        maker=maker,
        cents=units * 100 + pick.choice((0, 25, 50, 95, 99)),
        currency=currency,
        stock=pick.choice((0, 1, 2, 3, 5, 8, 14, 22, 40)),
        stars=pick.choice((1, 2, 3, 3, 4, 4, 5, 5)),
        reviews=pick.randint(0, 64),
        upc=f"{pick.getrandbits(64):016x}",
        tags=tuple(pick.sample(category.tags, pick.randint(2, 4))),
        description=tuple(pick.choice(lines).format(**numbers) for lines in (_BOOK_LINES if book else _THING_LINES)),
    )
