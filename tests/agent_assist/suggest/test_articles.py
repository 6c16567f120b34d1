"""Articles on disk: what is read, and complaints that name file and line while the others stand."""

from pathlib import Path

import pytest

from agent_assist.suggest.articles import MAX_ARTICLES, MAX_BYTES, SAMPLE, read, stamps
from dialog.errors import ConfigurationError
from tests.agent_assist.suggest.folder import fill, text


def test_an_article_is_read_with_what_it_is_found_by(tmp_path: Path) -> None:
    reading = read(fill(tmp_path))
    assert reading.complaints == ()
    assert [entry.article.article for entry in reading.entries] == ["bill", "block-sim", "roaming"]
    bill = reading.entries[0]
    assert bill.article.title == "Understanding the bill"
    assert bill.article.reply == "Let us go through it."
    assert bill.article.body.startswith("What to do.")
    assert bill.tags == ("charges", "amount")
    assert bill.phrases == ("Why is my bill so high",)
    assert bill.sentences == (bill.article.title, bill.article.reply, "charges, amount", "Why is my bill so high")


def test_the_body_stands_in_where_nobody_wrote_what_callers_say(tmp_path: Path) -> None:
    body = "**Look** at `page 1`.\n\n- Then at page 2.\n\n## More\n\nAnd so on."
    (tmp_path / "a.md").write_text(f"---\ntitle: A\nreply: B.\ntags:\n---\n{body}\n")
    (entry,) = read(tmp_path).entries
    assert entry.sentences == ("A", "B.", "Look at page 1 .", "Then at page 2.", "More", "And so on.")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("title: A\n", "1: begin with a line of ---"),
        ("", "1: begin with a line of ---"),
        ("---\ntitle: A\nreply: B\n", "3: the front matter does not end"),
        ("---\ntitle: A\ntags: c\n---\n", "4: reply is missing"),
        ("---\ntitle: A\nreplay: B\n---\n", "3: write one of title, reply, tags"),
        ("---\ntitle: A\n\nreply: B\n---\n", "3: write one of title, reply, tags"),
        ("---\ntitle: A\ntitle: B\n---\n", "3: title stands here for the second time"),
        ("---\ntitle: A\nreply:\n---\n", "3: reply is empty"),
        (f"---\ntitle: {'A' * 101}\n---\n", "2: title has 101 characters, at most 100"),
        (f"---\ntitle: A\nreply: B\ntags: {'t,' * 25}\n---\n", "5: 25 tags, at most 24"),
        ("---\ntitle: A\nreply: \xff\n---\n", "3: is no UTF-8"),
        ("x" * (MAX_BYTES + 1), f"1: {MAX_BYTES + 1} bytes, at most {MAX_BYTES}"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_the_others_stand(tmp_path: Path, content: str, complaint: str) -> None:
    (fill(tmp_path) / "broken.md").write_bytes(content.encode("latin-1"))
    reading = read(tmp_path)
    assert len(reading.entries) == 3
    (line,) = reading.complaints
    assert line.startswith(f"{tmp_path / 'broken.md'}:{complaint}"), line


def test_a_name_that_fits_no_address_is_refused(tmp_path: Path) -> None:
    (fill(tmp_path) / "Moving House.md").write_text(text("A", "B.", "c", "d"))
    (line,) = read(tmp_path).complaints
    assert "Moving House.md:1: name the file in lower-case letters" in line


def test_what_is_no_article_is_not_looked_at(tmp_path: Path) -> None:
    (fill(tmp_path) / "notes.txt").write_text("x")
    (tmp_path / "old.md").mkdir()
    assert len(read(tmp_path).stamps) == 3


def test_of_too_many_the_first_are_taken(tmp_path: Path) -> None:
    for number in range(MAX_ARTICLES + 2):
        (tmp_path / f"a{number:04}.md").write_text(text("A", "B.", "c", "d"))
    reading = read(tmp_path)
    assert len(reading.entries) == MAX_ARTICLES
    assert len(reading.complaints) == 1
    assert f"a{MAX_ARTICLES:04}.md" in reading.complaints[0]


def test_stamps_tell_a_change(tmp_path: Path) -> None:
    before = stamps(fill(tmp_path))
    assert stamps(tmp_path) == before
    (tmp_path / "bill.md").write_text("---\n")
    assert stamps(tmp_path) != before


def test_a_folder_that_is_not_there_is_a_setting_gone_wrong(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"desk\.articles: .*nowhere cannot be read"):
        read(tmp_path / "nowhere")


def test_the_sample_base_is_whole() -> None:
    reading = read(SAMPLE)
    assert reading.complaints == ()
    assert len(reading.entries) >= 44
    titles = [entry.article.title for entry in reading.entries]
    assert len(set(titles)) == len(titles)
    for entry in reading.entries:
        name = entry.article.article
        assert entry.article.reply.endswith((".", "?")), name
        assert not entry.article.title.endswith("."), name
        assert len(entry.phrases) >= 5, name
        assert len(entry.article.body) > 400, name
