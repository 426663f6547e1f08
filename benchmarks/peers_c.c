/* The European kernel as a careful C programmer writes it: textbook formulas on the same blocks of 256 options, plain libm
 * calls, the compiler left to vectorise them (gcc -Ofast -march=native calls libmvec's exp, log and erfc).
 * Fields and rows: common/kernels/european.py and layout.py. Built by benchmarks/peers.py. */
#include <math.h>

#define BLOCK 256
#define INV_SQRT_2 0.70710678118654752
#define INV_SQRT_2PI 0.39894228040143268

void greeks_blocks(const double *restrict inputs, double *restrict out, long blocks)
{
    for (long b = 0; b < blocks; b++) {
        const double *restrict in = inputs + b * 7 * BLOCK;
        double *restrict o = out + b * 8 * BLOCK;
        for (int i = 0; i < BLOCK; i++) {
            double spot = in[i], strike = in[BLOCK + i], tau = in[2 * BLOCK + i], vol = in[3 * BLOCK + i];
            double rate = in[4 * BLOCK + i], carry = in[5 * BLOCK + i], right = in[6 * BLOCK + i];
            double root_tau = sqrt(tau), s = vol * root_tau;
            double d1 = (log(spot / strike) + (rate - carry) * tau) / s + 0.5 * s, d2 = d1 - s;
            double grown = exp(-carry * tau), discount = exp(-rate * tau);
            double n1 = 0.5 * erfc(-right * d1 * INV_SQRT_2), n2 = 0.5 * erfc(-right * d2 * INV_SQRT_2);
            double weight = grown * INV_SQRT_2PI * exp(-0.5 * d1 * d1);
            double asset = spot * grown * n1, cash = strike * discount * n2;
            double vega = spot * weight * root_tau;
            o[i] = right * (asset - cash);
            o[BLOCK + i] = right * grown * n1;
            o[2 * BLOCK + i] = weight / (spot * s);
            o[3 * BLOCK + i] = vega;
            o[4 * BLOCK + i] = right * (carry * asset - rate * cash) - 0.5 * vega * vol / tau;
            o[5 * BLOCK + i] = right * tau * cash;
            o[6 * BLOCK + i] = -weight * d2 / vol;
            o[7 * BLOCK + i] = vega * d1 * d2 / vol;
        }
    }
}
