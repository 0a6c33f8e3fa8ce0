"""The store: nothing is lost, nothing is done twice, no user sees what belongs to others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hyperacuity.errors import UsageError
from hyperacuity.server.records import Claim, Job, JobState, Upload, new_id
from hyperacuity.server.store import Store, open_store
from hyperacuity.server.store.store import ATTEMPTS, RESTARTS


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = open_store("sqlite" if request.param == "sqlite" else request.getfixturevalue("database"), tmp_path)
    yield opened
    opened.close()


def make_job(store: Store, owner: str = "a", priority: int = 0, created: float | None = None) -> Job:
    created = time.time() if created is None else created
    job = Job(id=new_id(), owner=owner, upload="u", name="n.png", task={}, priority=priority, created=created)
    return store.submit(job)


def test_a_job_goes_from_waiting_to_done_once(store: Store) -> None:
    job = make_job(store)
    claim = store.claim(10)
    assert claim is not None
    assert claim.job.id == job.id
    assert (claim.job.state, claim.job.attempts) == (JobState.RUNNING, 1)
    assert store.claim(10) is None
    assert store.heartbeat(claim, 10, 0.5) is False
    assert store.finish(claim, JobState.DONE, {"kind": "image"}, 9e9)
    assert not store.finish(claim, JobState.FAILED, None, 9e9)
    found = store.job(job.id, "a")
    assert found is not None
    assert (found.state, found.progress, found.outcome) == (JobState.DONE, 1.0, {"kind": "image"})
    assert [event.kind for event in store.events(job.id, 0)] == ["waiting", "running", "progress", "done"]


def test_a_lost_lease_ends_the_claim_of_the_first_worker(store: Store) -> None:
    make_job(store)
    first = store.claim(-1)
    assert first is not None
    assert store.recover(9e9) == [first.job.id]
    second = store.claim(10)
    assert second is not None
    assert store.heartbeat(first, 10, 0.9) is None
    assert not store.finish(first, JobState.DONE, {}, 9e9)
    assert store.finish(second, JobState.DONE, {}, 9e9)


def test_a_lease_that_has_not_ended_is_kept(store: Store) -> None:
    make_job(store)
    store.claim(60)
    assert store.recover(9e9) == []
    assert len(store.recover(9e9, everything=True)) == 1


def test_a_job_that_lost_many_servers_fails_with_the_reason(store: Store) -> None:
    job = make_job(store)
    for _ in range(RESTARTS):
        claim = store.claim(-1)
        assert claim is not None
        assert claim.job.attempts == 1
        store.recover(9e9)
    assert store.claim(10) is None
    found = store.job(job.id, "a")
    assert found is not None
    assert found.state == JobState.FAILED
    assert found.outcome is not None
    assert f"{RESTARTS} times" in found.outcome["error"]["text"]


def test_a_worker_that_ends_in_peace_is_no_attempt(store: Store) -> None:
    job = make_job(store)
    for _ in range(5):
        claim = store.claim(10)
        assert claim is not None
        store.give_back(claim, blamed=False)
    found = store.job(job.id, "a")
    assert found is not None
    assert found.attempts == 0


def test_owners_take_turns_and_priority_goes_first(store: Store) -> None:
    for n in range(4):
        make_job(store, "many", created=n)
    make_job(store, "few", created=10)
    urgent = make_job(store, "many", priority=1, created=20)
    order = []
    while (claim := store.claim(60)) is not None:
        order.append(claim)
        time.sleep(0.01)
    assert order[0].job.id == urgent.id
    assert [claim.job.owner for claim in order[1:3]] == ["few", "many"]
    assert len(order) == 6


def test_many_threads_claim_each_job_once(store: Store) -> None:
    ids = {make_job(store).id for _ in range(40)}

    def work(_: int) -> list[str]:
        found = []
        while (claim := store.claim(60)) is not None:
            found.append(claim.job.id)
        return found

    with ThreadPoolExecutor(6) as pool:
        claimed = [job for part in pool.map(work, range(6)) for job in part]
    assert sorted(claimed) == sorted(ids)


def test_cancelling_ends_a_waiting_job_and_asks_a_running_one(store: Store) -> None:
    waiting = make_job(store)
    assert store.cancel(waiting.id, "b", 9e9) is None
    assert store.cancel(waiting.id, "a", 9e9) == JobState.CANCELLED
    make_job(store)
    claim = store.claim(10)
    assert claim is not None
    assert store.cancel(claim.job.id, "a", 9e9) == JobState.RUNNING
    assert store.heartbeat(claim, 10, 0.1) is True
    assert store.finish(claim, JobState.CANCELLED, None, 9e9)
    assert store.cancel(claim.job.id, "a", 9e9) == JobState.CANCELLED


def test_a_cancelled_job_whose_worker_is_lost_is_not_run_again(store: Store) -> None:
    job = make_job(store)
    store.claim(-1)
    store.cancel(job.id, "a", 9e9)
    store.recover(9e9)
    found = store.job(job.id, "a")
    assert found is not None
    assert found.state == JobState.CANCELLED


def test_the_same_key_gives_the_same_job(store: Store) -> None:
    first = store.submit(Job(id=new_id(), owner="a", upload="u", name="n", task={}), "key")
    second = store.submit(Job(id=new_id(), owner="a", upload="u", name="n", task={}), "key")
    other = store.submit(Job(id=new_id(), owner="b", upload="u", name="n", task={}), "key")
    assert first.id == second.id != other.id


def test_owners_see_only_what_is_theirs(store: Store) -> None:
    job = make_job(store, "a")
    store.add_upload(Upload(id="u1", owner="a", name="x", length=3))
    assert store.job(job.id, "b") is None
    assert store.upload("u1", "b") is None
    assert store.jobs("b", 10) == []
    assert store.counts("b")["waiting"] == 0
    assert store.counts()["waiting"] == 1


def test_uploads_grow_and_expire_but_not_under_a_waiting_job(store: Store) -> None:
    store.add_upload(Upload(id="u", owner="a", name="x", length=3, expires=5))
    store.set_offset("u", 3, 6)
    found = store.upload("u", "a")
    assert found is not None
    assert found.complete
    make_job(store)
    assert store.expired(100) == ([], [])
    claim = store.claim(10)
    assert claim is not None
    store.finish(claim, JobState.DONE, {}, 50)
    assert store.expired(100) == (["u"], [claim.job.id])


def test_tokens_are_kept_as_hashes_and_expire(store: Store) -> None:
    user = store.add_user("ada", None)
    token = store.add_token(user.id, "api", time.time() + 60)
    assert store.token_owner(token, "api") == user
    assert store.token_owner(token, "session") is None
    assert store.token_owner(token + "x", "api") is None
    with store.transaction() as run:
        assert token not in str(run.rows("SELECT * FROM tokens"))
    old = store.add_token(user.id, "api", time.time() - 1)
    assert store.token_owner(old, "api") is None
    assert store.remove_user("ada")
    assert store.token_owner(token, "api") is None


def test_readers_do_not_wait_for_a_transaction_and_see_what_was_before(store: Store) -> None:
    job = make_job(store)
    with ThreadPoolExecutor(1) as pool:
        with store.transaction() as run:
            run.rows("UPDATE jobs SET progress = 0.5 WHERE id = ?", job.id)
            during = pool.submit(store.job, job.id, "a").result(60)
        after = pool.submit(store.job, job.id, "a").result(60)
    assert during is not None
    assert after is not None
    assert (during.progress, after.progress) == (0.0, 0.5)


def test_a_failed_transaction_changes_nothing_for_readers(store: Store) -> None:
    job = make_job(store)

    def fail() -> None:
        with store.transaction() as run:
            run.rows("UPDATE jobs SET progress = 0.5 WHERE id = ?", job.id)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    found = store.job(job.id, "a")
    assert found is not None
    assert found.progress == 0


def test_only_the_last_progress_of_a_job_is_kept(store: Store) -> None:
    job = make_job(store)
    claim = store.claim(60)
    assert claim is not None
    for progress in (0.1, 0.1, 0.2, 0.3):
        assert store.heartbeat(claim, 60, progress) is False
    kept = store.events(job.id, 0)
    assert [event.kind for event in kept] == ["waiting", "running", "progress"]
    assert kept[-1].data == {"progress": 0.3}
    assert store.last_event() == kept[-1].number


def test_a_job_that_ends_three_workers_is_kept_from_a_fourth(store: Store) -> None:
    job = make_job(store)
    for attempt in range(1, ATTEMPTS + 1):
        claim = store.claim(60)
        assert claim is not None
        assert claim.job.attempts == attempt
        if attempt < ATTEMPTS:
            store.give_back(claim, blamed=True)
    assert claim is not None
    assert store.finish(claim, JobState.FAILED, {"error": {"text": "it ended its worker"}}, 9e9)
    assert store.claim(60) is None
    found = store.job(job.id, "a")
    assert found is not None
    assert (found.state, found.attempts) == (JobState.FAILED, ATTEMPTS)


def test_an_error_in_a_transaction_leaves_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction() as run:
        run.rows("INSERT INTO users (id, name, password, created) VALUES (?, ?, ?, ?)", "1", "x", None, 1 / 0)
    assert store.users() == []


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jobs.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(UsageError, match="cannot open the store"):
        open_store("sqlite", tmp_path)
    with pytest.raises(UsageError, match="unknown store 'redis'"):
        open_store("redis://x", tmp_path)


def test_a_store_is_there_again_after_it_was_closed(tmp_path: Path) -> None:
    first = open_store("sqlite", tmp_path)
    job = make_job(first)
    first.close()
    second = open_store("sqlite", tmp_path)
    claim = second.claim(10)
    assert isinstance(claim, Claim)
    assert claim.job.id == job.id
    second.close()
