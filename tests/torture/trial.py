"""One trial: some users with threads of their own, one or two faults, then the verdict (verdict.py)."""
import random
import threading

import faults
import life
from life import User, Violation
from verdict import verdict


def join(threads):
    for thread in threads:
        thread.join(life.recovery_s * 3)
        if thread.is_alive():
            raise Violation("a client hangs")


def live(house, users, chosen, rng):
    """The history first, in peace; then lives and faults at once."""
    beginnings = [threading.Thread(target=user.begin, daemon=True) for user in users]
    for thread in beginnings:
        thread.start()
    join(beginnings)
    errors = []

    def go_wrong(fault, seed):
        house.log.add("fault", fault.run.__name__, "begins")
        try:
            fault.run(house, random.Random(seed))
        except BaseException as error:  # noqa: BLE001 (told by the trial)
            errors.append(error)
        house.log.add("fault", fault.run.__name__, "over")

    beside = [threading.Thread(target=go_wrong, args=(fault, rng.random()), daemon=True) for fault in chosen if not fault.starts]
    for thread in [*users, *beside]:
        thread.start()
    for fault in chosen:
        if fault.starts:
            go_wrong(fault, rng.random())
    join([*users, *beside])
    for error in errors:
        raise error
    for user in [*users, *house.visitors]:
        if user.failed:
            raise user.failed


def transport(seed):
    """How the C1 API is spoken with: half of the trials each way."""
    return random.Random(f"transport {seed}").choice(["HTTP/1.1", "HTTP/2"])


def run(house, seed, only_faults=None, only_actions=None):
    """The names of its faults. Raises Violation. What is chosen follows from the seed; what races is the machine's."""
    rng = random.Random(f"{house.kind}{seed}")
    chosen = faults.choose(rng, house, only_faults)
    house.speak(transport(seed))
    house.begin(str(seed), chosen)
    users = [User(house, random.Random(f"{seed}/{n}"), f"{seed}-{n}", house.log, only_actions) for n in range(rng.randint(2, 4))]
    try:
        live(house, users, chosen, rng)
        house.heal()
        verdict(house, [*users, *house.visitors], rng)
        house.look_at_logs()
        if house.may("ends_workers"):
            house.settle_pool()
    except AssertionError as error:  # a Violation is one too
        words = f"{error}\nfaults: {names(chosen)}, over {house.transport}"
        kept = house.keep(f"{getattr(error, 'whole', error)}\nfaults: {names(chosen)}, over {house.transport}")
        raise Violation(f"{words}, kept in {kept}\n" + "\n".join(house.log.lines[-80:]) + "\n" + house.tail()) from error
    finally:
        house.forget_logs()
    return names(chosen)


def names(chosen):
    return "+".join(sorted({fault.run.__name__ for fault in chosen}))
