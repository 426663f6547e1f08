"""Runs one peer at a time on request, under an interpreter that has the peers installed; started by benchmarks/peers.py.

Knows nothing of Hedgerow. ``argv[1]``: an .npz with columns spot, strike, tau, vol, rate, carry, right (European greeks) and
forward, f_strike, f_price, f_tau, f_rate, f_right (implied volatility). First line out: {"peers": {name: version}}. Then, for
each line in, ``NAME COUNT [FILE]``: run the peer on the first COUNT options and answer {"seconds": s}; with FILE also write
the result there (.npy). Seconds are those of the call alone, the best of seven after one to warm up, inputs already in the
shape the peer wants.
*Tested by* tests/unit/test_european_peers.py.
"""

import contextlib
import importlib.metadata
import json
import sys
import time

import numpy as np


def nautilus_greeks(c, n):
    """nautilus_trader, Rust, one call an option: price, delta, gamma, vega, theta."""
    from nautilus_trader.core.nautilus_pyo3 import black_scholes_greeks

    rows = list(
        zip(
            c["spot"][:n].tolist(),
            c["rate"][:n].tolist(),
            (c["rate"] - c["carry"])[:n].tolist(),
            c["vol"][:n].tolist(),
            (c["right"][:n] > 0).tolist(),
            c["strike"][:n].tolist(),
            c["tau"][:n].tolist(),
            strict=True,
        )
    )
    return lambda: [black_scholes_greeks(*row, 1.0) for row in rows], lambda out: [[g.price, g.delta] for g in out]


def pyvolr_greeks(c, n):
    """pyvolr, Rust on arrays: price, delta, gamma, theta, vega, rho."""
    from pyvolr import bs

    flag = np.where(c["right"][:n] > 0, "c", "p")
    args = [c[k][:n].copy() for k in ("spot", "strike", "tau", "rate", "vol", "carry")]

    def run():
        return bs.price(flag, *args), bs.greeks(flag, *args)

    return run, lambda out: np.stack([out[0], out[1]["delta"]], axis=1)


def fast_vollib_greeks(c, n):
    """fast-vollib on numpy: price, delta, gamma, theta, rho, vega."""
    import fast_vollib as f

    flag = np.where(c["right"][:n] > 0, "c", "p")
    spot, strike, tau, rate, vol, carry = (c[k][:n].copy() for k in ("spot", "strike", "tau", "rate", "vol", "carry"))

    def run():
        price = f.fast_black_scholes_merton(flag, spot, strike, tau, rate, vol, carry, return_as="numpy")
        kept = {"model": "black_scholes_merton", "return_as": "dict", "backend": "numpy"}
        return price, f.get_all_greeks(flag, spot, strike, tau, rate, vol, carry, **kept)

    return run, lambda out: np.stack([np.ravel(out[0]), np.ravel(out[1]["delta"])], axis=1)


def vollib_greeks(c, n):
    """vollib, one call a number: price, delta, gamma, vega, theta, rho."""
    from vollib.black_scholes_merton import black_scholes_merton
    from vollib.black_scholes_merton.greeks import analytical as a

    rows = list(
        zip(
            np.where(c["right"][:n] > 0, "c", "p").tolist(),
            *(c[k][:n].tolist() for k in ("spot", "strike", "tau", "rate", "vol", "carry")),
            strict=True,
        )
    )
    greeks = (black_scholes_merton, a.delta, a.gamma, a.vega, a.theta, a.rho)
    return lambda: [[g(*row) for g in greeks] for row in rows], lambda out: [row[:2] for row in out]


def nautilus_vol(c, n):
    """nautilus_trader imply_vol, without carry: with carry release 1.221 gives a wrong forward."""
    from nautilus_trader.core.nautilus_pyo3 import imply_vol

    rows = list(
        zip(
            c["forward"][:n].tolist(),
            c["f_rate"][:n].tolist(),
            [0.0] * n,
            (c["f_right"][:n] > 0).tolist(),
            c["f_strike"][:n].tolist(),
            c["f_tau"][:n].tolist(),
            c["f_price"][:n].tolist(),
            strict=True,
        )
    )
    return lambda: [imply_vol(*row) for row in rows], lambda out: out


def pyvolr_vol(c, n):
    """pyvolr black76.implied_vol on arrays."""
    from pyvolr import black76

    flag = np.where(c["f_right"][:n] > 0, "c", "p")
    args = [c[k][:n].copy() for k in ("forward", "f_strike", "f_tau", "f_rate")]
    price = c["f_price"][:n].copy()
    return lambda: black76.implied_vol(price, flag, *args), lambda out: out


def fast_vollib_vol(c, n):
    """fast-vollib fast_implied_volatility_black on numpy."""
    import fast_vollib as f

    flag = np.where(c["f_right"][:n] > 0, "c", "p")
    price, forward, strike, rate, tau = (c[k][:n].copy() for k in ("f_price", "forward", "f_strike", "f_rate", "f_tau"))

    def run():
        return f.fast_implied_volatility_black(price, forward, strike, rate, tau, flag, return_as="numpy")

    return run, np.ravel


def vollib_vol(c, n):
    """vollib black.implied_volatility (Let's be rational), one call an option."""
    from vollib.black.implied_volatility import implied_volatility

    rows = list(
        zip(
            *(c[k][:n].tolist() for k in ("f_price", "forward", "f_strike", "f_rate", "f_tau")),
            np.where(c["f_right"][:n] > 0, "c", "p").tolist(),
            strict=True,
        )
    )
    return lambda: [implied_volatility(*row) for row in rows], lambda out: out


PEERS = {
    "nautilus": (nautilus_greeks, "nautilus_trader"),
    "pyvolr": (pyvolr_greeks, "pyvolr"),
    "fast-vollib": (fast_vollib_greeks, "fast-vollib"),
    "vollib": (vollib_greeks, "vollib"),
    "iv.nautilus": (nautilus_vol, "nautilus_trader"),
    "iv.pyvolr": (pyvolr_vol, "pyvolr"),
    "iv.fast-vollib": (fast_vollib_vol, "fast-vollib"),
    "iv.vollib": (vollib_vol, "vollib"),
}


def main():
    """The loop of the module's docstring."""
    columns = dict(np.load(sys.argv[1]))
    answers = sys.stdout
    ready, versions = {}, {}
    with contextlib.redirect_stdout(sys.stderr):
        for name, (prepare, package) in PEERS.items():
            try:
                run, _ = prepare(columns, 64)
                run()
                versions[name] = f"{package} {importlib.metadata.version(package)}"
            except Exception as error:
                print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
        print(json.dumps({"peers": versions}), file=answers, flush=True)
        for line in sys.stdin:
            name, count, *file = line.split()
            key = (name, int(count))
            if key not in ready:
                ready[key] = PEERS[name][0](columns, int(count))
            run, shape = ready[key]
            out, seconds = run(), float("inf")
            for _ in range(7):
                started = time.perf_counter()
                out = run()
                seconds = min(seconds, time.perf_counter() - started)
            if file:
                np.save(file[0], np.asarray(shape(out), np.float64))
            print(json.dumps({"seconds": seconds}), file=answers, flush=True)


if __name__ == "__main__":
    main()
