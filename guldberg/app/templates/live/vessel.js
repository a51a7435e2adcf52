// A stirred vessel: mass action and its Jacobian, followed by a Rosenbrock method of second order with an estimate of
// its error, which takes stiff networks (Shampine and Reichelt 1997, ode23s).

const GAMMA = 1 / (2 + Math.SQRT2), E32 = 6 + Math.SQRT2;

// dc/dt, and the Jacobian into `J` where one is given.
function law(forward, reverse, c, J) {
  const { reactants, products } = facts, n = c.length, change = new Float64Array(n);
  if (J) J.forEach(row => row.fill(0));
  reactants.forEach((left, i) => {
    for (const [k, from, to] of [[forward[i], left, products[i]], [reverse[i], products[i], left]]) {
      if (!k) continue;
      const rate = k * from.reduce((product, nu, j) => product * c[j] ** nu, 1);
      for (let s = 0; s < n; s++) change[s] += (to[s] - from[s]) * rate;
      if (J) from.forEach((nu, j) => {
        if (!nu) return;
        const slope = k * from.reduce((product, other, m) => product * (m === j ? nu * c[m] ** (nu - 1) : c[m] ** other), 1);
        for (let s = 0; s < n; s++) J[s][j] += (to[s] - from[s]) * slope;
      });
    }
  });
  return change;
}

// LU with pivots, in place; the order of the rows.
function factored(W) {
  const n = W.length, order = W.map((_, i) => i);
  for (let j = 0; j < n; j++) {
    let best = j;
    for (let i = j + 1; i < n; i++) if (Math.abs(W[i][j]) > Math.abs(W[best][j])) best = i;
    [W[j], W[best]] = [W[best], W[j]];
    [order[j], order[best]] = [order[best], order[j]];
    for (let i = j + 1; i < n; i++) {
      const factor = W[i][j] /= W[j][j];
      if (factor) for (let m = j + 1; m < n; m++) W[i][m] -= factor * W[j][m];
    }
  }
  return order;
}

function solved(W, order, right) {
  const n = W.length, x = order.map(i => right[i]);
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) x[i] -= W[i][j] * x[j];
  for (let i = n - 1; i >= 0; i--) {
    for (let j = i + 1; j < n; j++) x[i] -= W[i][j] * x[j];
    x[i] /= W[i][i];
  }
  return x;
}

// Times and states from `initial` to `end`; ends early, with `failed`, where no step is short enough.
function follow(forward, reverse, initial, end, tolerance = 1e-5) {
  const n = initial.length, times = [0], states = [[...initial]], J = initial.map(() => new Float64Array(n));
  const size = Math.max(...initial.map(Math.abs), 1e-12), along = (c, h, k) => c.map((x, s) => x + h * k[s]);
  let t = 0, c = [...initial], F = law(forward, reverse, c, J);
  let h = Math.min(end / 100, 0.01 * size / Math.max(...F.map(Math.abs), size / end));
  while (t < end) {
    h = Math.min(h, end - t);
    if (h < 1e-14 * end || times.length > 50000) return { times, states, failed: true };
    const W = J.map((row, i) => Array.from(row, (x, j) => (i === j ? 1 : 0) - h * GAMMA * x)), order = factored(W);
    const k1 = solved(W, order, F), F1 = law(forward, reverse, along(c, h / 2, k1));
    const k2 = solved(W, order, F1.map((x, s) => x - k1[s])).map((x, s) => x + k1[s]), made = along(c, h, k2);
    const F2 = law(forward, reverse, made);
    const k3 = solved(W, order, F2.map((x, s) => x - E32 * (k2[s] - F1[s]) - 2 * (k1[s] - F[s])));
    const error = Math.max(...k1.map((x, s) => Math.abs(h / 6 * (x - 2 * k2[s] + k3[s])) / (tolerance * Math.max(Math.abs(c[s]), Math.abs(made[s]), 1e-3 * size))));
    if (error <= 1) {
      t = end - t - h < 1e-12 * end ? end : t + h;
      c = made;
      F = law(forward, reverse, c, J);
      times.push(t);
      states.push([...c]);
    }
    h *= Number.isFinite(error) ? Math.min(5, Math.max(0.2, 0.8 / Math.cbrt(error))) : 0.2;
  }
  return { times, states, failed: false };
}
