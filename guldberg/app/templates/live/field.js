// A field of concentrations that goes on as long as one looks at it.

const [height, width] = facts.shape, species = facts.species.length;

class Missing extends Error {}

// Four species in each texture, all of them the outputs of one framebuffer.
class State {
  constructor(gl) {
    this.gl = gl;
    this.textures = Array.from({ length: parts }, () => {
      const texture = gl.createTexture();
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA32F, width, height);
      for (const which of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, which, gl.NEAREST);
      return texture;
    });
    this.frame = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frame);
    this.places = this.textures.map((_, i) => gl.COLOR_ATTACHMENT0 + i);
    this.textures.forEach((texture, i) => gl.framebufferTexture2D(gl.FRAMEBUFFER, this.places[i], gl.TEXTURE_2D, texture, 0));
    gl.drawBuffers(this.places);
    if (gl.checkFramebufferStatus(gl.FRAMEBUFFER) !== gl.FRAMEBUFFER_COMPLETE) throw new Missing("the graphics here cannot compute with fractions in 32 bits");
  }
  aim() {
    this.gl.bindFramebuffer(this.gl.FRAMEBUFFER, this.frame);
    this.gl.viewport(0, 0, width, height);
  }
  write(c) {
    const { gl } = this, cells = width * height;
    this.textures.forEach((texture, i) => {
      const four = new Float32Array(4 * cells);
      for (let s = 4 * i; s < Math.min(species, 4 * i + 4); s++) for (let x = 0; x < cells; x++) four[4 * x + s - 4 * i] = c[s * cells + x];
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, width, height, gl.RGBA, gl.FLOAT, four);
    });
  }
  read() {
    const { gl } = this, cells = width * height, c = new Float32Array(species * cells), four = new Float32Array(4 * cells);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frame);
    this.places.forEach((place, i) => {
      gl.readBuffer(place);
      gl.readPixels(0, 0, width, height, gl.RGBA, gl.FLOAT, four);
      for (let s = 4 * i; s < Math.min(species, 4 * i + 4); s++) for (let x = 0; x < cells; x++) c[s * cells + x] = four[4 * x + s - 4 * i];
    });
    return c;
  }
}

class Field {
  constructor(canvas) {
    this.canvas = canvas;
    const gl = this.gl = canvas.getContext("webgl2", { preserveDrawingBuffer: true });
    if (!gl) throw new Missing("it has no WebGL2");
    if (!gl.getExtension("EXT_color_buffer_float")) throw new Missing("the graphics here cannot compute with fractions in 32 bits");
    gl.bindVertexArray(gl.createVertexArray());
    this.first = new Program(gl, stepShader(false));
    this.second = new Program(gl, stepShader(true));
    this.brush = new Program(gl, BRUSH);
    this.show = new Program(gl, SHOW);
    [this.now, this.middle, this.next] = [1, 2, 3].map(() => new State(gl));
    this.ramp = this.rampTexture();
    this.start = new Float32Array(bytes(facts.start).buffer);
    this.view = -1;
    this.parameters = { forward: [...facts.forward], reverse: [...facts.reverse], D: [...facts.diffusivity], flow: [1] };
    this.reset();
    this.changed();
  }

  rampTexture() {
    const { gl } = this, texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, bytes(facts.colours.ramp));
    for (const which of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, which, gl.LINEAR);
    return texture;
  }

  reset() {
    this.time = 0;
    this.now.write(this.start);
  }

  // Constants, diffusivities or the flow are others than before.
  changed() {
    const { forward, reverse, D, flow } = this.parameters, { a, b } = facts.faces;
    this.dt = Math.min(facts.step, 1.6 / (Math.max(...D, 1e-30) * facts.stiffest));
    const padded = rows => rows.flatMap(row => [...quads(row)]);
    const [inflow, outflow] = ["inflow", "outflow"].map(name => facts.flow ? facts.flow[name].map(x => flow[0] * x) : [0]);
    for (const program of [this.first, this.second]) {
      program.use().numbers("k", [...forward, ...reverse]).numbers("D", D).numbers("A", padded(a)).numbers("B", padded(b));
      program.numbers("inflow", wide(inflow)).numbers("outflow", wide(outflow));
      this.gl.uniform2i(program.at("size"), width, height);
      this.gl.uniform1f(program.at("dt"), this.dt);
    }
  }

  steps(count) {
    for (let i = 0; i < count; i++) {
      this.middle.aim();
      this.first.use().textures("u", this.now, 0).draw();
      this.next.aim();
      this.second.use().textures("u", this.middle, 0).textures("v", this.now, parts).draw();
      [this.now, this.next] = [this.next, this.now];
    }
    this.time += count * this.dt;
  }

  advance(seconds) { this.steps(Math.round(seconds / this.dt)); }

  fields() { return this.now.read(); }

  // The mean of each species over all cells.
  means() {
    const c = this.fields(), cells = width * height;
    return facts.species.map((_, s) => c.subarray(s * cells, (s + 1) * cells).reduce((sum, x) => sum + x, 0) / cells);
  }

  // `amounts` by species; those that are null stay as they are.
  disturb(x, y, radius, amounts) {
    const program = this.brush;
    this.next.aim();
    program.use().textures("u", this.now, 0);
    program.numbers("which", wide(amounts.map(a => a === null ? 0 : 1))).numbers("amount", wide(amounts.map(a => a ?? 0)));
    this.gl.uniform2f(program.at("centre"), x, y);
    this.gl.uniform1f(program.at("radius"), radius);
    program.draw();
    [this.now, this.next] = [this.next, this.now];
  }

  draw() {
    const { gl, canvas } = this, { weights, ends, low, high } = facts.colours, program = this.show.use();
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, canvas.width, canvas.height);
    program.textures("u", this.now, 0);
    gl.activeTexture(gl.TEXTURE0 + parts);
    gl.bindTexture(gl.TEXTURE_2D, this.ramp);
    gl.uniform1i(program.at("ramp"), parts);
    ["red", "green", "blue"].forEach((name, i) => program.numbers(name, wide(weights[i])));
    gl.uniform3f(program.at("low"), ...ends[0]);
    gl.uniform3f(program.at("high"), ...ends[1]);
    gl.uniform1i(program.at("single"), this.view < 0 ? 0 : 1);
    const shown = Math.max(this.view, 0);
    program.numbers("one", wide(facts.species.map((_, s) => s === shown ? 1 : 0)));
    gl.uniform2f(program.at("range"), low[shown], high[shown]);
    gl.uniform2i(program.at("size"), width, height);
    gl.uniform2f(program.at("pixels"), canvas.width, canvas.height);
    program.draw();
  }
}

function bytes(text) { return Uint8Array.from(atob(text), c => c.charCodeAt(0)); }

function wide(values) { const out = new Float32Array(4 * parts); out.set(values); return out; }

// What surrounds the field: buttons, dials, and the clock of the frames.
function live(field) {
  const { canvas, parameters } = field, all = [], names = facts.species;
  let playing = false, speed = 10, frames = 0, allowed = 4, brush = 0, last = 0;
  const play = button("Play", () => { playing = !playing; last = 0; play.textContent = playing ? "Pause" : "Play"; if (playing) requestAnimationFrame(frame); });
  const pause = () => { if (playing) play.click(); };
  const changed = () => field.changed();
  const back = () => { all.forEach(one => one.back()); field.changed(); field.reset(); tell(""); shown(); };
  const bar = element("canvas", { className: "ramp", width: 256, height: 1 });
  bar.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(bytes(facts.colours.ramp)), 256, 1), 0, 0);
  const [lowest, highest] = [element("span"), element("span")], scale = element("span", { className: "row" }, lowest, bar, highest);
  const state = element("p", { className: "soft state", ariaLive: "off" });

  function view(i) {
    field.view = i - 1;
    scale.hidden = i === 0;
    if (i) [lowest.textContent, highest.textContent] = [short(facts.colours.low[i - 1]), short(facts.colours.high[i - 1])];
    field.draw();
  }

  function shown() {
    field.draw();
    const means = field.means();
    state.replaceChildren(...[`t = ${field.time.toFixed(1)} s; mean over the cells:`, ...names.map((name, s) => `${name} ${short(means[s])}`),
      `sum ${short(means.reduce((a, b) => a + b, 0))}`].map(text => element("span", { textContent: text })));
    if (means.some(x => !Number.isFinite(x))) {
      pause();
      tell(`The concentrations are no longer finite: something is too fast for time steps of ${short(field.dt)} s. Reset goes back to the start.`);
    }
  }

  // As many steps as the chosen speed asks for, and as a frame has time for.
  function frame(now) {
    if (!playing) return;
    const due = last ? Math.ceil(speed * Math.min(now - last, 100) / 1000 / field.dt) : 1, began = performance.now();
    last = now;
    field.steps(Math.min(due, allowed));
    field.gl.readPixels(0, 0, 1, 1, field.gl.RGBA, field.gl.UNSIGNED_BYTE, new Uint8Array(4)); // wait until it is done
    const spent = performance.now() - began;
    allowed = spent > 25 ? Math.max(1, Math.floor(allowed * 20 / spent)) : Math.min(allowed + 4, 4096);
    if (frames++ % 10) field.draw(); else shown();
    requestAnimationFrame(frame);
  }

  function touch(event) {
    const box = canvas.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * width, y = (event.clientY - box.top) / box.height * height;
    const amounts = brush === 0 ? names.map(() => 0) : names.map((_, s) => s === brush - 1 ? Math.max(facts.colours.high[s], 0.1) : null);
    field.disturb(x, y, Math.max(1.5, Math.min(width, height === 1 ? width : height) / 20), amounts);
    shown();
  }

  canvas.onpointerdown = event => { canvas.setPointerCapture(event.pointerId); touch(event); };
  canvas.onpointermove = event => { if (event.buttons) touch(event); };
  canvas.addEventListener("webglcontextlost", () => { pause(); tell("The graphics were reset by the system: load the page again."); });
  const speeds = [1, 3, 10, 30, 100, 1000];
  const pace = choice("Speed", speeds.map(x => `${x} s per s`), i => { speed = speeds[i]; });
  pace.querySelector("select").selectedIndex = 2;
  stage.append(
    row(play, button("Reset", back), pace,
      choice("Show", ["all species as colours", ...names], view),
      choice("A click", ["empties a place", ...names.map(name => `adds ${name}`)], i => { brush = i; })),
    canvas, scale, state,
    ...constants(parameters.forward, parameters.reverse, changed, all),
    ...(facts.faces.followD ? [] : dials("Diffusivities", names, parameters.D, changed, all)),
    ...(facts.flow ? dials("Flow", ["factor on the flow"], parameters.flow, changed, all) : []),
  );
  scale.hidden = true;
  shown();
}

try {
  const times = Math.max(1, Math.floor(640 / Math.max(width, height)));
  const canvas = element("canvas", { className: "place", width: width * times, height: Math.max(height * times, height === 1 ? 40 : 1) });
  canvas.setAttribute("aria-label", "The field, live: click to disturb it");
  window.guldberg = new Field(canvas);
  live(window.guldberg);
} catch (error) {
  if (!(error instanceof Missing)) throw error;
  tell(`The network cannot run in this browser: ${error.message}. A browser of today on a machine with graphics can; nothing else of this page needs it.`);
}
