"""The questions as a table: named once, cheap, and encodable."""

import msgspec

from gateway.diagnosis.questions import QUESTIONS


def test_questions_have_names_of_their_own_and_stay_small() -> None:
    names = [question.name for question in QUESTIONS]
    assert len(set(names)) == len(names)
    asked_tokens = [question.body.get("max_tokens", 0) for question in QUESTIONS]
    assert sum(tokens for tokens in asked_tokens if tokens < 1_000) < 1_000
    assert all(len(msgspec.json.encode(question.body)) < 2_000 for question in QUESTIONS)


def test_questions_texts_of_a_malformed_body_are_none() -> None:
    texts = {question.name: question.texts for question in QUESTIONS}
    assert texts["bad_input"] == ()
    assert texts["count.system"] == (("system", "Be brief."), ("user", "Say pong."))
