"""XMP sidecars: stars that photo managers read, and nothing else changed."""

import pathlib
from xml.dom import minidom
from xml.etree import ElementTree

import pytest

from reiqa_tf.albums.sidecars import STARS, SidecarError, rated, save_rating, sidecar_path

XMP = "http://ns.adobe.com/xap/1.0/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

# In the manner of darktable, with a comment and spaces that XML libraries lose.
DARKTABLE = """\
<?xml version="1.0" encoding="UTF-8"?>
<!-- kept -->
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:darktable="http://darktable.sf.net/"
   {rating}darktable:history_end="3"
   darktable:note="xmp:Rating='5' 5 > 4">
   <darktable:history><rdf:Seq>
     <rdf:li darktable:num="0" darktable:operation="exposure"/>
   </rdf:Seq></darktable:history>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
ELEMENT = """\
<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
<rdf:Description rdf:about='' xmlns:a='http://ns.adobe.com/xap/1.0/' a:Label='Red'>
<a:Rating>{stars}</a:Rating><a:CreatorTool>caf\u00e9</a:CreatorTool></rdf:Description>
</rdf:RDF></x:xmpmeta>"""


def stars_in(contents):
    """What an independent parser reads: attributes and elements."""
    found = []
    for node in ElementTree.fromstring(contents).iter(f"{{{RDF}}}Description"):
        found += [node.get(f"{{{XMP}}}Rating")] if node.get(f"{{{XMP}}}Rating") else []
        found += [child.text for child in node.findall(f"{{{XMP}}}Rating")]
    return found


def test_a_sidecar_lies_beside_its_photo_under_the_whole_name():
    assert sidecar_path("a/photo.jpg") == pathlib.Path("a/photo.jpg.xmp")


@pytest.mark.parametrize(("word", "stars"), list(STARS.items()))
def test_a_new_sidecar_holds_the_stars_of_the_word(tmp_path, word, stars):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"never touched")
    save_rating(photo, word)
    contents = (tmp_path / "photo.jpg.xmp").read_bytes()
    assert stars_in(contents) == [str(stars)]
    assert minidom.parseString(contents).documentElement.tagName == "x:xmpmeta"
    assert photo.read_bytes() == b"never touched"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.jpg", "photo.jpg.xmp"]


def test_everything_else_in_a_sidecar_stays_byte_for_byte():
    before = DARKTABLE.format(rating="")
    after = rated(before.encode(), 4, "a.xmp").decode()
    assert stars_in(after) == ["4"]
    assert after.replace(' xmp:Rating="4"', "") == before


@pytest.mark.parametrize("unrated", ['xmp:Rating="0"\n   ', "xmp:Rating = '0' "])
def test_no_stars_count_as_no_rating(unrated):
    before = DARKTABLE.format(rating=unrated)
    after = rated(before.encode(), 2, "a.xmp").decode()
    assert after == before.replace(unrated, unrated.replace("0", "2"))


def test_a_rating_of_another_is_kept_unless_it_may_be_replaced():
    before = DARKTABLE.format(rating='xmp:Rating="-1" ').encode()
    with pytest.raises(SidecarError, match=r"a\.xmp: left as it is.* -1 .*--overwrite"):
        rated(before, 3, "a.xmp")
    after = rated(before, 3, "a.xmp", overwrite=True)
    assert after == before.replace(b'xmp:Rating="-1"', b'xmp:Rating="3"')
    assert rated(after, 3, "a.xmp") == after


def test_a_rating_in_an_element_under_another_prefix_is_found():
    for before in (ELEMENT.format(stars=0), "\ufeff" + ELEMENT.format(stars=" 0 ")):
        after = rated(before.encode(), 5, "a.xmp")
        assert stars_in(after) == ["5"]
        assert "caf\u00e9".encode() in after


def test_a_prefix_that_means_another_thing_is_not_used():
    before = DARKTABLE.format(rating="").replace('xmlns:xmp="http://ns.adobe.com/xap/1.0/"', "")
    before = before.replace("xmlns:darktable", 'xmlns:xmp="urn:other" xmlns:darktable')
    after = rated(before.encode(), 1, "a.xmp")
    assert stars_in(after) == ["1"]


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (b"", "no element found"),
        (b"\xff\xfe<\x00x\x00", "utf-8"),
        (b"<x>", "no element found"),
        (b"<html></html>", "no description"),
        (b'<!DOCTYPE x [<!ENTITY e "e">]><x>&e;</x>', "document type"),
        (ELEMENT.format(stars="<a:b/>").encode(), "more than a number"),
        (
            ELEMENT.format(stars="1").replace("a:Label='Red'", "a:Rating='2'").encode(),
            "more than one rating",
        ),
    ],
)
def test_what_is_not_understood_is_left_alone_in_one_line(tmp_path, contents, reason):
    path = tmp_path / "photo.jpg.xmp"
    path.write_bytes(contents)
    with pytest.raises(SidecarError, match=reason) as caught:
        save_rating(tmp_path / "photo.jpg", "good", overwrite=True)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == contents
