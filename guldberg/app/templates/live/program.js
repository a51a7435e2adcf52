// The shaders of a reaction-diffusion system, made from its numbers: four species in each texture, all in one pass.

const parts = Math.ceil(facts.species.length / 4);
const each = f => Array.from({ length: parts }, (_, i) => f(i)).join("\n");
const value = (name, s) => `${name}${s >> 2}.${"xyzw"[s & 3]}`;
const literal = x => Number.isInteger(x) ? `${x}.0` : x.toPrecision(9);
const HEAD = `#version 300 es
precision highp float; precision highp int; precision highp sampler2D;
${each(i => `uniform sampler2D u${i};`)}
uniform ivec2 size;`;
const OUTPUTS = each(i => `layout(location = ${i}) out vec4 o${i};`);

// k prod c^nu
function flux(constant, nu) {
  const factors = nu.flatMap((n, s) => Array(n).fill(value("c", s)));
  return [`k[${constant >> 2}].${"xyzw"[constant & 3]}`, ...factors].join(" * ");
}

function production() {
  const { reactants, products, reverse } = facts, count = reactants.length;
  const rates = reactants.map((left, i) =>
    `float r${i} = ${flux(i, left)}${reverse[i] > 0 ? ` - ${flux(count + i, products[i])}` : ""};`);
  const changes = facts.species.map((_, s) => {
    const terms = reactants.flatMap((left, i) => products[i][s] === left[s] ? [] : [`${literal(products[i][s] - left[s])} * r${i}`]);
    return `${value("d", s)} = ${terms.join(" + ") || "0.0"};`;
  });
  return [...rates, ...changes].join("\n");
}

// A cell or what lies beyond the faces: a + b times the cell inside.
function neighbour(i) {
  const beyond = (face, inside, axis) => facts.faces.wraps[axis]
    ? `p.${"yx"[axis]} += ${face % 2 ? "-" : ""}size.${"yx"[axis]};`
    : `{ p.${"yx"[axis]} = ${inside}; ${["a", "a", "e", "e"][face]} = A[${face * parts + i}]; ${["b", "b", "f", "f"][face]} = B[${face * parts + i}]; }`;
  return `vec4 at${i}(ivec2 p) {
  vec4 a = vec4(0.0), b = vec4(1.0), e = a, f = b;
  if (p.y < 0) ${beyond(0, "0", 0)} else if (p.y >= size.y) ${beyond(1, "size.y - 1", 0)}
  if (p.x < 0) ${beyond(2, "0", 1)} else if (p.x >= size.x) ${beyond(3, "size.x - 1", 1)}
  return e + f * (a + b * texelFetch(u${i}, p, 0));
}`;
}

function laplacian(i) {
  const terms = facts.neighbours.map(([y, x, w]) => `${literal(w)} * (at${i}(p + ivec2(${x}, ${y})) - c${i})`);
  return `vec4 l${i} = ${terms.join("\n  + ")};`;
}

// Heun's rule: c + dt f(c), then half of c and of the same from there.
function stepShader(second) {
  return `${HEAD}
${second ? each(i => `uniform sampler2D v${i};`) : ""}
uniform float dt;
uniform vec4 k[${Math.ceil(facts.reactants.length / 2)}];
uniform vec4 D[${parts}], inflow[${parts}], outflow[${parts}], A[${4 * parts}], B[${4 * parts}];
${OUTPUTS}
${each(neighbour)}
void main() {
  ivec2 p = ivec2(gl_FragCoord.xy);
  ${each(i => `vec4 c${i} = texelFetch(u${i}, p, 0), d${i} = vec4(0.0);`)}
  ${production()}
  ${each(laplacian)}
  ${each(i => `vec4 n${i} = c${i} + dt * (d${i} + D[${i}] * l${i} + inflow[${i}] - outflow[${i}] * c${i});`)}
  ${each(i => second ? `o${i} = 0.5 * (texelFetch(v${i}, p, 0) + n${i});` : `o${i} = n${i};`)}
}`;
}

// A disc in which chosen species take given values.
const BRUSH = `${HEAD}
uniform vec2 centre; uniform float radius;
uniform vec4 which[${parts}], amount[${parts}];
${OUTPUTS}
void main() {
  float near = step(distance(gl_FragCoord.xy, centre), radius);
  ${each(i => `o${i} = mix(texelFetch(u${i}, ivec2(gl_FragCoord.xy), 0), amount[${i}], near * which[${i}]);`)}
}`;

const SHOW = `${HEAD}
uniform sampler2D ramp;
uniform int single;
uniform vec4 red[${parts}], green[${parts}], blue[${parts}], one[${parts}];
uniform vec3 low, high; uniform vec2 range; uniform vec2 pixels;
out vec4 colour;
void main() {
  vec2 at = gl_FragCoord.xy / pixels;
  ivec2 p = min(ivec2(vec2(at.x, 1.0 - at.y) * vec2(size)), size - 1);
  vec3 sum = vec3(0.0); float own = 0.0;
  ${each(i => `vec4 c${i} = texelFetch(u${i}, p, 0);
  sum += vec3(dot(red[${i}], c${i}), dot(green[${i}], c${i}), dot(blue[${i}], c${i})); own += dot(one[${i}], c${i});`)}
  vec3 many = clamp((sum - low) / (high - low), 0.0, 1.0);
  vec3 few = texture(ramp, vec2(clamp((own - range.x) / (range.y - range.x), 0.0, 1.0) * 0.996 + 0.002, 0.5)).rgb;
  colour = vec4(single == 1 ? few : many, 1.0);
}`;

const CORNERS = `#version 300 es
void main() { gl_Position = vec4(vec2(gl_VertexID % 2, gl_VertexID / 2) * 4.0 - 1.0, 0.0, 1.0); }`;

class Program {
  constructor(gl, fragment) {
    this.gl = gl;
    this.handle = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, CORNERS], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(this.handle, shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    }
    gl.linkProgram(this.handle);
    if (!gl.getProgramParameter(this.handle, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(this.handle));
  }
  at(name) { return this.gl.getUniformLocation(this.handle, name); }
  use() { this.gl.useProgram(this.handle); return this; }
  numbers(name, values) { this.gl.uniform4fv(this.at(name), quads(values)); return this; }
  textures(name, set, first) {
    set.textures.forEach((texture, i) => {
      this.gl.activeTexture(this.gl.TEXTURE0 + first + i);
      this.gl.bindTexture(this.gl.TEXTURE_2D, texture);
      this.gl.uniform1i(this.at(`${name}${i}`), first + i);
    });
    return this;
  }
  draw() { this.gl.drawArrays(this.gl.TRIANGLES, 0, 3); }
}

// Filled with zeros to whole quadruples.
function quads(values) {
  const out = new Float32Array(4 * Math.ceil(values.length / 4));
  out.set(values);
  return out;
}
