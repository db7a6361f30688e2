"""The texts of the demo website's journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Article:
    """One piece of the journal; `segment` is its path segment, given where the title's own would not do."""

    title: str
    author: str
    date: str
    paragraphs: tuple[str, ...]
    segment: str = ""


ARTICLES: Final = (
    Article("How to Shelve a Bookshop in the Dark", "Maren Tolliver", "2025-01-14", (
        "The power went at four, an hour before closing, with two crates of travel books still on the floor.",
        "We found that we knew the shop by hand. Poetry is thin and cold, cookery is heavy at the corners, and "
        "history smells faintly of rope. Nobody needed the labels.",
        "When the lights came back, eleven books stood in the wrong place. By daylight we usually manage fifteen.",
    )),
    Article("In Praise of the Second-Best Pen", "Idris Quayle", "2025-02-03", (
        "The best pen lives in a case and is afraid of the world. The second-best pen is the one that gets things "
        "done.",
        "It has been lent to strangers, dropped on quays and used to stir tea. Its nib has learned one hand and "
        "tolerates others.",
        "Buy the good one if you must. Then buy the other, and keep it where you write.",
    )),
    Article("A Lighthouse Keeper’s Reading List", "Oona Fairweather", "2025-02-21", (
        "For nineteen years our neighbour kept the light on the outer skerry, and every fortnight the boat brought "
        "him six books.",
        "He asked for long novels in November and field guides in May. He sent back anything with a storm in it, "
        "since he had those at home.",
        "His rule for choosing was simple: open it at page ninety. If someone is eating, it is a good book.",
        "We have followed the rule ever since and were wrong only twice.",
    )),
    Article("Café Hours", "Céline Marchbanks", "2025-03-09", (
        "A café at eight is an office, at eleven a nursery and at three a library. By six it is a theatre.",
        "I have written in all four, and the library is the worst, because everyone is listening to the silence.",
        "Order a crème, sit where the door is behind you, and stay until the waiter starts to place chairs on "
        "tables.",
    ), segment="café-hours"),
    Article("What the Tide Table Does Not Say", "Teodor Brandvik", "2025-03-30", (
        "The table gives a time and a height, and people who have not lived here believe both.",
        "It leaves out the wind, which can hold the water in the estuary for an hour, and the week of rain that "
        "comes down to meet it.",
        "So we print the table on the left page and leave the right one empty. After a year in a drawer the right "
        "page is the better one.",
    )),
    Article("Repairing a Globe", "Noor Ashdown", "2025-04-17", (
        "It came in with a dent in the southern ocean and a country missing. The owner apologised for both.",
        "A globe is twelve paper petals on a ball of plaster. You soften the glue with steam, lift one petal like "
        "the skin of an onion, fill the hollow, and lay the sea back down.",
        "The missing country we painted in from an older map. It has a different name there, and the owner liked it "
        "better.",
    )),
    Article("Six Soups for a Shop with One Hob", "Lucía Peñarroya", "2025-05-05", (
        "Monday is leek, because the stall at the bridge gives us what it did not sell on Saturday.",
        "Tuesday is leek again. By Wednesday somebody has brought beans, and the week can properly begin.",
        "The one secret is an old one: salt the onions early and leave them alone. A customer who smells onions "
        "stays for a quarter of an hour longer.",
        "On Saturday we are too busy for soup and eat whatever the jar of pickles suggests.",
    )),
    Article("The Night Train and Its Readers", "Rafael Ondarra", "2025-05-28", (
        "Between the second and the third border, every lamp in the sleeping car but three goes out.",
        "I walked the corridor with a notebook. One was reading a manual for sewing machines; one a novel, upside "
        "down, asleep; and one was a child with a torch who had reached the last chapter and was making it last.",
        "In the morning I asked how it ended. She said it had not ended, it had only stopped.",
    )),
    Article("Against the Bookmark", "Hana Mizushima", "2025-06-16", (
        "A bookmark is a promise to come back to the same place as the same person. I have never managed either.",
        "Now I close the book and open it where it falls. I have read some pages five times and a few not at all.",
        "The books do not mind. The mysteries are harder, but they were too easy before.",
    )),
    Article("Ink from the Oak Outside", "Bertil Sjögren-Poole", "2025-07-02", (
        "A small wasp lays an egg in an oak leaf, the oak builds a brown ball around it, and the ball makes ink.",
        "You crush the galls, steep them in rain water, add iron salts and a little gum, and wait. The ink goes on "
        "grey and turns black in front of you, as if it were making up its mind.",
        "One tree gave us nine bottles. We kept the first and labelled it “not for contracts”.",
    )),
    Article("How We Choose the Window", "Oona Fairweather", "2025-07-24", (
        "Ten things, one from each shelf, changed on the first dry Monday of the month.",
        "At least one has to be useless, one has to be cheap, and one must have been argued about.",
        "What sells is almost never in the window. The window sells the door.",
    )),
    Article("A Walk along the Karst", "Tomasz Grzelak", "2025-08-11", (
        "The river goes into the hill at a village with two names and comes out at a village with three.",
        "We walked over it for a day and a half without seeing a drop. At night, with an ear to the ground, you can "
        "hear it turn over.",
        "Where it comes out there is a mill, and in the mill a visitors’ book, and in the book our names from ten "
        "years before.",
    )),
    Article("Letters We Never Posted", "Mirela Donchev", "2025-09-08", (
        "Under the drawer of the second-hand desk were fourteen letters, sealed, stamped and never sent.",
        "We did not open them. We put an advertisement in the paper with the name on the back, and a week later a "
        "very old man came in and bought the desk.",
        "He left a letter for us on the counter. It is in the drawer, where it belongs.",
    )),
    Article("Moths at the Reading Lamp", "Priya Vantongeren", "2025-09-27", (
        "Leave the window open in September and a lamp becomes a lecture hall.",
        "By ten there were eleven species on the curtain. The largest had settled on a dictionary, somewhere near "
        "“lamp”, and would not be moved.",
        "We turned off the light and read by the window until it grew too dark, which is what windows are for.",
    )),
    Article("The Clock That Ran on Gossip", "Ewan Strachan-Bell", "2025-10-19", (
        "The town clock was eight minutes slow, and everyone knew it, so everyone was on time.",
        "Then a clever council mended it. For a month people missed ferries, weddings and each other.",
        "It was put back by night, eight minutes exactly, by someone with a ladder. The council has not found out "
        "who, and has not looked.",
    )),
    Article("Stocktaking", "Maren Tolliver", "2025-12-31", (
        "Once a year we count everything, including what cannot be sold: two chairs, one cat, the view.",
        "This year there was one book more than the ledger allowed. Nobody had ordered it, it had no price, and all "
        "of us had read it.",
        "We wrote it down as weather and closed the book at midnight.",
    )),
)  # fmt: skip
