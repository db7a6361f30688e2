"""Encodings by the tables of the Encoding and HTML standards: labels, precedence, prescan, and many languages."""

from __future__ import annotations

import pytest
from webencodings.labels import LABELS

from scraper.parse.decode import PRESCAN, decode

#: Encoding Standard §4.2: the name of every encoding.
NAMES = {
    "utf-8", "ibm866", "iso-8859-2", "iso-8859-3", "iso-8859-4", "iso-8859-5", "iso-8859-6", "iso-8859-7", "iso-8859-8",
    "iso-8859-8-i", "iso-8859-10", "iso-8859-13", "iso-8859-14", "iso-8859-15", "iso-8859-16", "koi8-r", "koi8-u",
    "macintosh", "windows-874", "windows-1250", "windows-1251", "windows-1252", "windows-1253", "windows-1254",
    "windows-1255", "windows-1256", "windows-1257", "windows-1258", "x-mac-cyrillic", "gbk", "gb18030", "big5",
    "euc-jp", "iso-2022-jp", "shift_jis", "euc-kr", "replacement", "utf-16be", "utf-16le", "x-user-defined",
}  # fmt: skip

#: WHATWG name: Python's codec, language, and a text in it.
TEXTS = {
    "windows-1250": ("cp1250", "cs", "Příliš žluťoučký kůň úpěl ďábelské ódy. V přístavu čekala loď."),
    "windows-1251": ("cp1251", "ru", "Съешь ещё этих мягких французских булок, да выпей чаю на берегу."),
    "windows-1252": ("cp1252", "fr", "Dès Noël où un zéphyr haï me vêt de glaçons… l’œuvre coûte 12 €."),
    "windows-1253": ("cp1253", "el", "Ο ήλιος ανέτειλε πάνω από το λιμάνι και οι ψαράδες ξεκίνησαν."),
    "windows-1254": ("cp1254", "tr", "Güneş doğdu, balıkçılar şarkı söyleyerek ağlarını çektiler."),
    "windows-1255": ("cp1255", "he", "השמש זרחה מעל הנמל והדייגים יצאו לדרכם בשיר."),
    "windows-1256": ("cp1256", "ar", "أشرقت الشمس فوق الميناء وخرج الصيادون إلى البحر."),
    "windows-1257": ("cp1257", "lt", "Saulė patekėjo virš uosto, žvejai išplaukė į jūrą su daina."),
    "windows-1258": ("cp1258", "vi", "Ngôi nhà bên sông, chú mèo đen và con cá tươi."),
    "windows-874": ("cp874", "th", "พระอาทิตย์ขึ้นเหนือท่าเรือ และชาวประมงออกเรือ"),
    "iso-8859-2": ("iso8859_2", "pl", "Zażółć gęślą jaźń. Nad portem wzeszło słońce."),
    "iso-8859-3": ("iso8859_3", "eo", "Ĉiuj ŝipoj ĝoje forlasis la havenon, ĵus post la tagiĝo."),
    "iso-8859-4": ("iso8859_4", "lv", "Saule uzlēca virs ostas, zvejnieki devās jūrā."),
    "iso-8859-5": ("iso8859_5", "bg", "Слънцето изгря над пристанището и рибарите тръгнаха."),
    "iso-8859-6": ("iso8859_6", "ar", "أشرقت الشمس فوق الميناء"),
    "iso-8859-7": ("iso8859_7", "el", "Καλημέρα, είπε ο γέρος στη θάλασσα."),
    "iso-8859-8": ("iso8859_8", "he", "בוקר טוב אמר הזקן לים"),
    "iso-8859-10": ("iso8859_10", "is", "Sólin reis yfir höfninni, þá fóru menn á sjó með öngla."),
    "iso-8859-13": ("iso8859_13", "et", "Päike tõusis sadama kohale, kalurid läksid merele šallides."),
    "iso-8859-14": ("iso8859_14", "cy", "Cododd yr haul dros y môr, a’r cŵn yn cyfarth ar y tŷ.".replace("’", "'")),
    "iso-8859-15": ("iso8859_15", "fi", "Aurinko nousi sataman ylle, kala maksaa 5 €, žanri muuttuu."),
    "iso-8859-16": ("iso8859_16", "ro", "Soarele a răsărit peste port; pescarii și-au luat țigările."),
    "koi8-r": ("koi8_r", "ru", "Широкая электрификация южных губерний даст мощный толчок."),
    "koi8-u": ("koi8_u", "uk", "Гей, хлопці, не вспію — на ґанку ваша файна їжа знищується".replace("—", "-")),
    "ibm866": ("cp866", "ru", "Пароход ушёл в море, а кот остался на берегу."),
    "macintosh": ("mac_roman", "de", "Zwölf Boxkämpfer jagen Viktor quer über den Deich."),
    "x-mac-cyrillic": ("mac_cyrillic", "ru", "Маяк светит всю ночь, и корабли находят дорогу."),
    "gbk": ("gbk", "zh", "太阳从港口升起，渔民们唱着歌出海了。"),
    "gb18030": ("gb18030", "zh", "太阳从港口升起，渔民们唱着歌出海了。"),
    "big5": ("big5", "zh", "太陽從港口升起，漁民們唱著歌出海了。"),
    "euc-jp": ("euc_jp", "ja", "港の上に日が昇り、漁師たちは歌いながら海へ出た。"),
    "iso-2022-jp": ("iso2022_jp", "ja", "港の上に日が昇り、漁師たちは海へ出た。"),
    "shift_jis": ("shift_jis", "ja", "港の上に日が昇り、漁師たちは歌いながら海へ出た。"),
    "euc-kr": ("euc_kr", "ko", "항구 위로 해가 떠오르자 어부들이 노래하며 바다로 나갔다."),
}


def test_the_table_is_whole() -> None:
    """39 encodings, and the one that stands for those that nobody may use; labels of all of them."""
    assert len(NAMES) == 40
    assert {name.lower() for name in LABELS.values()} == NAMES
    assert len(LABELS) == 228


@pytest.mark.parametrize("name", sorted(NAMES))
def test_labels(name: str) -> None:
    """Every label of every encoding, in either case, in white space, whether HTTP or the page gives it."""
    for label in (label for label, named in LABELS.items() if named.lower() == name):
        for spelled in (label, label.upper(), f" {label}\t"):
            found = decode(b"<p>a", f'text/html; charset="{spelled}"')
            assert (found.encoding, found.source) == (name, "http"), label
        # A page that can be read as ASCII is no UTF-16, and x-user-defined means windows-1252 there.
        inside = {"utf-16le": "utf-8", "utf-16be": "utf-8", "x-user-defined": "windows-1252"}.get(name, name)
        found = decode(f"<meta charset='{label}'><p>a".encode(), "text/html")
        assert (found.encoding, found.source) == (inside, "meta"), label


@pytest.mark.parametrize("name", TEXTS)
def test_texts(name: str) -> None:
    """A text of a language that was written so; told by HTTP, by the page in either way, or by XML."""
    codec, language, text = TEXTS[name]
    markup = f"<html lang={language}><p>{text}"
    assert decode(markup.encode(codec), f"text/html; charset={name}") == (markup, name, "http")
    for head in (f"<meta charset={name}>", f"<meta content='text/html; charset={name}' http-equiv=content-type>"):
        assert decode((head + markup).encode(codec), None) == (head + markup, name, "meta")
    declaration = f'<?xml version="1.0" encoding="{name}"?>'
    assert decode((declaration + markup).encode(codec), None) == (declaration + markup, name, "xml")


@pytest.mark.parametrize("name", ["windows-1251", "koi8-r", "shift_jis", "euc-jp", "gbk", "big5", "euc-kr"])
def test_undeclared_texts(name: str) -> None:
    """What nobody declares is known by its looks, if there is enough of it."""
    codec, _, text = TEXTS[name]
    markup = f"<p>{text} " * 8
    found = decode(markup.encode(codec), None)
    assert (found.text, found.source) == (markup, "detected")


BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("body", "content_type", "encoding", "source"),
    [
        # precedence: mark, HTTP, meta, XML, looks
        (BOM + b"<?xml encoding='koi8-r'?><meta charset=koi8-r>", "text/html; charset=koi8-r", "utf-8", "bom"),
        (b"<?xml encoding='koi8-r'?><meta charset=koi8-u>", "text/html; charset=big5", "big5", "http"),
        (b"<?xml encoding='koi8-r'?><meta charset=koi8-u>", None, "koi8-u", "meta"),
        (b"<?xml encoding='koi8-r'?><p>\xe4", None, "koi8-r", "xml"),
        (b"<?xml version='1.0'?><p>\xc3\xa4", None, "utf-8", "detected"),
        # XML declarations
        (b'<?xml version="1.0" encoding = \n"koi8-r" ?>', None, "koi8-r", "xml"),
        (b"<?xml encoding='utf-16'?><p>\xc3\xa4", None, "utf-8", "xml"),
        (b"<?xml encoding='bogus'?><p>\xc3\xa4", None, "utf-8", "detected"),
        (b"<?xml encoding='koi8-r \"?><p>\xc3\xa4", None, "utf-8", "detected"),
        (b"<?xml encoding=koi8-r?><p>\xc3\xa4", None, "utf-8", "detected"),
        (b"<?xml ?><!-- encoding='koi8-r' -->\xc3\xa4", None, "utf-8", "detected"),
        (b" <?xml encoding='koi8-r'?>\xc3\xa4", None, "utf-8", "detected"),
        ('<?xml version="1.0" encoding="koi8-r"?>'.encode("utf-16-le"), None, "utf-16le", "xml"),
        ('<?xml version="1.0" encoding="koi8-r"?>'.encode("utf-16-be"), None, "utf-16be", "xml"),
        # the prescan
        (b"<META CharSet = 'koi8-r' >", None, "koi8-r", "meta"),
        (b"<meta/charset=koi8-r />", None, "koi8-r", "meta"),
        (b"<meta charset=koi8-r charset=big5>", None, "koi8-r", "meta"),
        (b"<meta charset=bogus><meta charset=koi8-r>", None, "koi8-r", "meta"),
        (b"<meta content='text/html; charset=koi8-r'><p>\xc3\xa4", None, "utf-8", "detected"),
        (b"<meta http-equiv=refresh content='0; charset=koi8-r'>\xc3\xa4", None, "utf-8", "detected"),
        (b"<meta http-equiv=content-type content='a; charset = \"koi8-r\"'>", None, "koi8-r", "meta"),
        (b"<meta http-equiv=content-type content='a; xcharset;charset=koi8-r; b'>", None, "koi8-r", "meta"),
        (b"<!-- <meta charset=koi8-r> --><meta charset=big5>", None, "big5", "meta"),
        (b"<!-- > <meta charset=big5> --> <meta charset=koi8-r>", None, "koi8-r", "meta"),
        (b"<p title='<meta charset=big5>'><meta charset=koi8-r>", None, "koi8-r", "meta"),
        (b"</p a='>'><meta charset=koi8-r>", None, "koi8-r", "meta"),
        (b"<!doctype html><?php ?><meta charset=koi8-r>", None, "koi8-r", "meta"),
        (b"<metacharset=koi8-r>\xc3\xa4", None, "utf-8", "detected"),
        (b"<a <meta charset=koi8-r>\xc3\xa4", None, "utf-8", "detected"),
        (b" " * (PRESCAN - 21) + b"<meta charset=koi8-r>", None, "koi8-r", "meta"),
        (b"<meta charset=iso-2022-kr>", None, "replacement", "meta"),
    ],
)
def test_sniffing(body: bytes, content_type: str | None, encoding: str, source: str) -> None:
    """HTML Standard §13.2.3.2, edge by edge."""
    found = decode(body, content_type)
    assert (found.encoding, found.source) == (encoding, source)


def test_x_user_defined_by_http() -> None:
    """Bytes beyond ASCII are private characters there (Encoding Standard §14.5)."""
    assert decode(b"a\x80\xff", "text/html; charset=x-user-defined").text == "a\uf780\uf7ff"
