"""Token counts: the published vectors, texts that once broke tokenizers, and the estimate beside the truth."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tokenizer import (
    EstimatingTokenizer,
    Tokenizer,
    VocabularyTokenizer,
    estimate_tokens,
    load_tokenizer,
    split_text,
)

VECTORS = [
    ("Hello world!", [9906, 1917, 0]),
    ("1234567", [4513, 10961, 22]),
    ("\n\n", [271]),
    (" \n", [720]),
    ("You are a friendly assistant", [2675, 527, 264, 11919, 18328]),
    ("Grüße, 世界 🌍", [6600, 2448, 24352, 11, 127365, 11410, 234, 235]),
    ("pong", [60202]),
    ("Hello! How can I assist you today?", [9906, 0, 2650, 649, 358, 7945, 499, 3432, 30]),
]

PARAGRAPHS = {
    "english": "The council decided yesterday that the old bridge will be renewed completely next spring. During the "
    "works, pedestrians can use a temporary crossing, while cars take the northern ring road.",
    "german": "Die Verwaltung hat gestern beschlossen, dass die Brücke über den Fluss im kommenden Frühjahr "
    "vollständig erneuert werden muss. Während der Bauarbeiten können Fußgänger eine vorläufige Überführung benutzen.",
    "french": "Le conseil municipal a décidé hier que le vieux pont sera entièrement rénové au printemps prochain. "
    "Pendant les travaux, les piétons pourront emprunter une passerelle provisoire.",
    "spanish": "El ayuntamiento decidió ayer que el antiguo puente será renovado por completo la próxima primavera. "
    "Mientras duren las obras, los peatones podrán utilizar una pasarela provisional.",
    "polish": "Rada miasta postanowiła wczoraj, że stary most zostanie całkowicie odnowiony najbliższej wiosny. "
    "W czasie robót piesi będą mogli korzystać z tymczasowej kładki.",
    "turkish": "Belediye meclisi dün eski köprünün önümüzdeki baharda tamamen yenilenmesine karar verdi. Çalışmalar "
    "sırasında yayalar geçici bir geçidi kullanabilecek.",
    "vietnamese": "Hôm qua hội đồng thành phố quyết định rằng cây cầu cũ sẽ được sửa chữa hoàn toàn vào mùa xuân tới.",
    "russian": "Вчера городской совет решил, что старый мост будет полностью обновлён следующей весной. Во время "
    "работ пешеходы смогут пользоваться временным переходом.",
    "greek": "Το δημοτικό συμβούλιο αποφάσισε χθες ότι η παλιά γέφυρα θα ανακαινιστεί πλήρως την επόμενη άνοιξη.",
    "arabic": "قرر مجلس المدينة أمس أن الجسر القديم سيجدد بالكامل في الربيع المقبل.",
    "hebrew": "מועצת העיר החליטה אתמול שהגשר הישן ישופץ במלואו באביב הבא.",
    "hindi": "नगर परिषद ने कल निर्णय लिया कि पुराने पुल का अगले वसंत में पूरी तरह नवीनीकरण किया जाएगा।",
    "thai": "เมื่อวานนี้สภาเมืองได้ตัดสินใจว่าสะพานเก่าจะได้รับการปรับปรุงใหม่ทั้งหมดในฤดูใบไม้ผลิหน้า",
    "chinese": "市议会昨天决定，明年春天将全面翻修这座旧桥。施工期间，行人可以使用临时通道，汽车则改走北边的环城公路。",
    "japanese": "市議会は昨日、古い橋を来年の春に全面的に改修することを決めました。"
    "工事の間、歩行者は仮の通路を利用できます。",
    "korean": "시의회는 어제 오래된 다리를 내년 봄에 전면 보수하기로 결정했습니다. "
    "공사 기간 동안 보행자는 임시 통로를 이용합니다.",
    "bengali": "নগর পরিষদ গতকাল সিদ্ধান্ত নিয়েছে যে পুরানো সেতুটি আগামী বসন্তে সম্পূর্ণ সংস্কার করা হবে।",
    "georgian": "საქალაქო საბჭომ გუშინ გადაწყვიტა, რომ ძველი ხიდი მომავალ გაზაფხულზე სრულად განახლდება.",
    "python": "def read(path: Path) -> dict[str, int]:\n    with path.open() as lines:\n        return {line: "
    "len(line) for line in lines if not line.startswith('#')}\n",
    "json": json.dumps({"id": "abc", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}}]}),
    "hexadecimal": "d41d8cd98f00b204e9800998ecf8427e e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
}


@pytest.fixture(scope="module")
def exact() -> Tokenizer:
    return load_tokenizer()


def write_vocabulary(path: Path, tokens: list[bytes]) -> Path:
    lines = [f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(tokens)]
    path.write_text("".join(lines))
    return path


def test_load_tokenizer_with_the_vocabulary_installed_is_exact(exact: Tokenizer) -> None:
    assert (exact.name, exact.is_exact) == ("llama3", True)


@pytest.mark.parametrize(("text", "tokens"), VECTORS)
def test_count_of_a_published_vector_is_its_length(exact: Tokenizer, text: str, tokens: list[int]) -> None:
    assert exact.count(text) == len(tokens)


def test_encoding_of_every_published_vector_has_its_ids(exact: Tokenizer) -> None:
    assert isinstance(exact, VocabularyTokenizer)
    assert [exact.encode(text) for text, _ in VECTORS] == [tokens for _, tokens in VECTORS]


@pytest.mark.parametrize("text", ["<|eot_id|>", "<|begin_of_text|>", "a<|start_header_id|>b"])
def test_count_of_a_special_token_s_name_counts_its_characters(exact: Tokenizer, text: str) -> None:
    assert exact.count(text) > 3


@pytest.mark.parametrize("text", ["", "\ud83d", "a\udc00b", "\0", "\u2028", "e\u0301" * 300])
def test_count_of_odd_text_is_a_count(exact: Tokenizer, text: str) -> None:
    assert exact.count(text) >= bool(text)


@pytest.mark.parametrize("character", [" ", "\n", "a", ".", "1", "世", "\t "])
def test_count_of_a_million_of_one_character_ends(exact: Tokenizer, character: str) -> None:
    assert 0 < exact.count(character * 1_000_000) <= 1_100_000


def test_count_where_the_regex_overflows_falls_back_to_the_estimate(exact: Tokenizer) -> None:
    assert isinstance(exact, VocabularyTokenizer)
    unguarded = VocabularyTokenizer(exact.encode, piece_chars=2_000_000)
    blanks = " " * 1_000_000
    assert unguarded.count(blanks) == estimate_tokens(blanks)


def test_count_where_encoding_is_interrupted_lets_the_interruption_pass() -> None:
    def interrupt(text: str) -> list[int]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        VocabularyTokenizer(interrupt).count("text")


def test_count_of_a_text_again_is_the_same_and_does_not_encode_it_again() -> None:
    encoded: list[str] = []

    def encode(text: str) -> list[int]:
        encoded.append(text)
        return [0] * len(text)

    tokenizer = VocabularyTokenizer(encode)
    long, short = "x" * 1_000, "y"
    assert [tokenizer.count(long), tokenizer.count(long), tokenizer.count(short), tokenizer.count(short)] == [
        1_000,
        1_000,
        1,
        1,
    ]
    assert encoded == [long, short, short]


def test_count_of_many_texts_remembers_a_bounded_number_and_keeps_those_in_use() -> None:
    encoded: list[str] = []

    def encode(text: str) -> list[int]:
        encoded.append(text)
        return [0]

    tokenizer = VocabularyTokenizer(encode)
    system = "s" * 300
    for number in range(10_000):
        tokenizer.count_many([system, f"{number:0300}"])
    assert encoded.count(system) == 1
    tokenizer.count(f"{0:0300}")
    assert encoded.count(f"{0:0300}") == 2


def test_count_many_is_the_sum_of_the_counts(exact: Tokenizer) -> None:
    texts = [text for text, _ in VECTORS]
    assert exact.count_many(texts) == sum(len(tokens) for _, tokens in VECTORS)


WORDS = st.sampled_from(
    ["word", "two", "Grüße", "世界", "it's", "12345", ",", " ", "\n", "\r\n\r\n", "\t", "...", "🌍"]
)


@given(st.lists(WORDS, max_size=200).map(lambda words: " ".join(words)), st.integers(5, 60))
def test_split_text_at_any_size_loses_nothing_and_keeps_to_the_size(text: str, piece_chars: int) -> None:
    pieces = split_text(text, piece_chars)
    assert "".join(pieces) == text
    assert all(len(piece) <= piece_chars for piece in pieces)


@given(words=st.lists(st.sampled_from(["word", "two", "Grüße", "12345,", "it's", "end.\n\n", "(x)"]), min_size=30))
def test_split_text_between_words_does_not_change_the_count(exact: Tokenizer, words: list[str]) -> None:
    text = " ".join(words) + " end"
    assert sum(map(exact.count, split_text(text, 60))) == exact.count(text)


@pytest.mark.parametrize("name", PARAGRAPHS)
def test_estimate_of_a_calibration_text_is_within_a_quarter_of_the_truth(exact: Tokenizer, name: str) -> None:
    truth = exact.count(PARAGRAPHS[name])
    assert abs(estimate_tokens(PARAGRAPHS[name]) - truth) <= 0.27 * truth


@given(st.text())
def test_estimate_of_any_text_is_positive_where_there_is_text(text: str) -> None:
    assert (estimate_tokens(text) > 0) == bool(text)


def test_estimating_tokenizer_says_so() -> None:
    tokenizer = EstimatingTokenizer()
    assert (tokenizer.name, tokenizer.is_exact) == ("estimate", False)
    assert tokenizer.count_many(["Hello world!", "pong"]) == tokenizer.count("Hello world!") + tokenizer.count("pong")


def test_load_tokenizer_of_a_path_uses_that_vocabulary(tmp_path: Path) -> None:
    path = write_vocabulary(tmp_path / "v.model", [bytes([byte]) for byte in range(256)] + [b"ab"])
    tokenizer = load_tokenizer(path)
    assert tokenizer.is_exact
    assert tokenizer.count("abab c") == 4
    path.unlink()
    assert load_tokenizer(path).count("abab c") == 4  # read once in a process


@pytest.mark.parametrize("content", ["", "not base64 at all\n", "YQ==\n", "YQ== x\n"])
def test_load_tokenizer_of_a_file_that_is_no_vocabulary_raises_value_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.model"
    path.write_text(content)
    with pytest.raises(ValueError, match="vocabulary"):
        load_tokenizer(path)


def test_load_tokenizer_of_a_missing_path_raises_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"missing\.model"):
        load_tokenizer(tmp_path / "missing.model")
