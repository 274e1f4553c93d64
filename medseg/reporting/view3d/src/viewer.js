/*! three.js 0.187.0, bundled here, is under this licence:

The MIT License

Copyright © 2010-2026 three.js authors

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in
all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN
THE SOFTWARE.
*/
// The 3D view of a report: rotates, zooms, and shows or hides closed surfaces. No network, no storage.
// Positions are RAS+ mm, as in the report: x to the patient's right, y to the front, z to the head.
import {
  AmbientLight, Box3, Box3Helper, BufferAttribute, BufferGeometry, CanvasTexture, Color, DirectionalLight,
  DoubleSide, Mesh, MeshLambertMaterial, OrthographicCamera, Scene, Sprite, SpriteMaterial, Vector3, WebGLRenderer,
} from "three";

const START = { azimuth: 0.55, elevation: 0.25, zoom: 1, x: 0, y: 0 };
const STEP = Math.PI / 24;
const LIMIT = Math.PI / 2 - 0.001;
const NO_WEBGL = "The 3D view needs WebGL, which this browser does not offer; the pictures and numbers of the report are complete without it.";

function bytes(text) {
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let n = 0; n < raw.length; n++) out[n] = raw.charCodeAt(n);
  return out.buffer;
}

// Vertices are 16-bit steps in the label's own box; little-endian, as every browser's machine is.
function geometryOf(item) {
  const packed = new Uint16Array(bytes(item.vertices));
  const places = new Float32Array(packed.length);
  for (let n = 0; n < packed.length; n++) places[n] = item.low[n % 3] + packed[n] * item.step[n % 3];
  const indices = bytes(item.triangles);
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(places, 3));
  geometry.setIndex(new BufferAttribute(item.wide ? new Uint32Array(indices) : new Uint16Array(indices), 1));
  geometry.computeVertexNormals();
  return geometry;
}

function letterSprite(text, size) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 64;
  const pen = canvas.getContext("2d");
  pen.font = "bold 46px sans-serif";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineWidth = 8;
  pen.strokeStyle = "#14171b";
  pen.fillStyle = "#ffd479";
  pen.strokeText(text, 32, 35);
  pen.fillText(text, 32, 35);
  const sprite = new Sprite(new SpriteMaterial({ map: new CanvasTexture(canvas), depthTest: false, transparent: true }));
  sprite.scale.setScalar(size);
  sprite.renderOrder = 10;
  return sprite;
}

class View {
  constructor(root) {
    this.root = root;
    this.stage = root.querySelector(".v3d-stage");
    this.data = JSON.parse(root.querySelector(".v3d-data").textContent);
    this.at = { ...START };
    this.meshes = new Map();
    this.waiting = false;
    this.frames = 0;
  }

  start() {
    if (this.renderer || this.failed) return;
    try {
      this.renderer = new WebGLRenderer({ antialias: true });
    } catch {
      this.failed = true;
      this.say(NO_WEBGL);
      this.root.dataset.state = "no-webgl";
      return;
    }
    this.stage.replaceChildren(this.renderer.domElement);
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio || 1, 2));
    this.build();
    this.listen();
    this.resize();
    new ResizeObserver(() => this.resize()).observe(this.stage);
  }

  say(text) {
    const line = document.createElement("p");
    line.className = "v3d-say";
    line.setAttribute("role", "status");
    line.textContent = text;
    this.stage.replaceChildren(line);
  }

  build() {
    this.scene = new Scene();
    this.scene.background = new Color("#14171b");
    this.camera = new OrthographicCamera();
    this.camera.up.set(0, 0, 1);
    this.scene.add(new AmbientLight("#ffffff", 0.9), this.camera);
    const lamp = new DirectionalLight("#ffffff", 2.4);
    lamp.position.set(-0.4, 0.6, 1);
    // The lamp and what it shines at move with the camera: light comes from above on the left, wherever the data lie.
    this.camera.add(lamp, lamp.target);
    const box = new Box3();
    for (const item of this.data.labels) {
      const material = new MeshLambertMaterial({ color: item.color, side: DoubleSide });
      const mesh = new Mesh(geometryOf(item), material);
      mesh.geometry.computeBoundingBox();
      box.union(mesh.geometry.boundingBox);
      this.meshes.set(item.id, mesh);
      this.scene.add(mesh);
    }
    this.middle = box.getCenter(new Vector3());
    const size = (this.size = box.getSize(new Vector3()));
    this.letters = [];
    this.radius = Math.max(size.length() / 2, 1e-3);
    this.scene.add(new Box3Helper(box, "#5d6672"));
    this.addLetters(size);
  }

  // Six letters stand outside the middles of the box's faces: R, L, A, P, S, I.
  addLetters(size) {
    const gap = 0.1 * this.radius;
    (this.data.letters || []).forEach((text, n) => {
      const axis = "xyz"[n >> 1];
      const sprite = letterSprite(text, 0.17 * this.radius);
      sprite.position.copy(this.middle);
      sprite.position[axis] += (n % 2 ? -1 : 1) * (size[axis] / 2 + gap);
      this.letters.push({ sprite, away: sprite.position.clone().sub(this.middle).normalize() });
      this.scene.add(sprite);
    });
  }

  // Scale at which the box fills the stage as seen from here; it stays while the view is turned by hand.
  fit() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (!width || !height) return;
    const { azimuth, elevation } = this.at;
    const [x, y, z] = this.size.toArray();
    const [sinA, cosA] = [Math.abs(Math.sin(azimuth)), Math.abs(Math.cos(azimuth))];
    const [sinE, cosE] = [Math.abs(Math.sin(elevation)), Math.abs(Math.cos(elevation))];
    const wide = (x * cosA + y * sinA) / 2;
    const high = (z * cosE + (x * sinA + y * cosA) * sinE) / 2;
    const aspect = width / height;
    const half = Math.max(high, wide / aspect) + 0.25 * this.radius;
    Object.assign(this.camera, { left: -half * aspect, right: half * aspect, top: half, bottom: -half });
    this.mmPerPixel = (2 * half) / height;
  }

  listen() {
    const canvas = this.renderer.domElement;
    let held = null;
    this.stage.addEventListener("pointerdown", (event) => {
      held = [event.clientX, event.clientY];
      canvas.setPointerCapture(event.pointerId);
      this.stage.focus({ preventScroll: true });
    });
    this.stage.addEventListener("pointermove", (event) => {
      if (!held) return;
      const [dx, dy] = [event.clientX - held[0], event.clientY - held[1]];
      held = [event.clientX, event.clientY];
      if (event.shiftKey || event.buttons === 4) this.shift(dx, dy);
      else this.turn(-dx * 0.01, dy * 0.01);
    });
    for (const name of ["pointerup", "pointercancel"]) this.stage.addEventListener(name, () => { held = null; });
    // The wheel zooms only once the view was clicked: a page that is scrolled past must not get stuck here.
    this.stage.addEventListener("wheel", (event) => {
      if (document.activeElement !== this.stage && !event.ctrlKey) return;
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * 0.001));
    }, { passive: false });
    this.stage.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("input", () => this.apply());
    this.root.addEventListener("click", (event) => this.click(event));
    this.apply();
  }

  key(event) {
    const acts = {
      ArrowLeft: () => this.turn(STEP, 0), ArrowRight: () => this.turn(-STEP, 0),
      ArrowUp: () => this.turn(0, -STEP), ArrowDown: () => this.turn(0, STEP),
      "+": () => this.zoom(1.15), "=": () => this.zoom(1.15), "-": () => this.zoom(1 / 1.15),
      r: () => this.reset(), R: () => this.reset(),
    };
    if (event.ctrlKey || event.metaKey || event.altKey || !acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  }

  click(event) {
    const button = event.target.closest("button[data-act]");
    if (!button) return;
    const [act, azimuth, elevation] = button.dataset.act.split(" ");
    if (act === "reset") this.reset();
    else if (act === "look") this.look(Number(azimuth), Number(elevation));
    else {
      for (const row of this.root.querySelectorAll(".v3d-list li:not([hidden]) input")) row.checked = act === "all";
      this.apply();
    }
  }

  // Reads every control: what is ticked, how opaque, which names the filter keeps.
  apply() {
    const opacity = Number(this.root.querySelector(".v3d-opacity").value) / 100;
    const filter = this.root.querySelector(".v3d-filter");
    const wanted = filter ? filter.value.trim().toLowerCase() : "";
    for (const row of this.root.querySelectorAll(".v3d-list li")) {
      const mesh = this.meshes.get(Number(row.dataset.id));
      row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
      mesh.visible = row.querySelector("input").checked;
      mesh.material.opacity = opacity;
      mesh.material.transparent = opacity < 1;
      mesh.material.depthWrite = opacity === 1;
      mesh.material.needsUpdate = true;
    }
    this.ask();
  }

  turn(azimuth, elevation) {
    this.at.azimuth += azimuth;
    this.at.elevation = Math.max(-LIMIT, Math.min(LIMIT, this.at.elevation + elevation));
    this.ask();
  }

  shift(dx, dy) {
    const mm = this.mmPerPixel / this.at.zoom;
    this.at.x -= dx * mm;
    this.at.y += dy * mm;
    this.ask();
  }

  look(azimuth, elevation) {
    this.at = { ...START, azimuth, elevation: Math.max(-LIMIT, Math.min(LIMIT, elevation)) };
    this.fit();
    this.ask();
  }

  zoom(factor) {
    this.at.zoom = Math.max(0.3, Math.min(40, this.at.zoom * factor));
    this.ask();
  }

  reset() {
    this.at = { ...START };
    this.fit();
    for (const row of this.root.querySelectorAll(".v3d-list input")) row.checked = true;
    this.root.querySelector(".v3d-opacity").value = 100;
    const filter = this.root.querySelector(".v3d-filter");
    if (filter) filter.value = "";
    this.apply();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (!width || !height) return;
    this.renderer.setSize(width, height);
    this.fit();
    this.ask();
  }

  ask() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => this.draw());
  }

  // Azimuth 0 looks from the front, so that the patient's right is on the left, as in the slices.
  draw() {
    this.waiting = false;
    const { azimuth, elevation, zoom, x, y } = this.at;
    const far = 4 * this.radius;
    const flat = Math.cos(elevation);
    const { camera, middle } = this;
    camera.position.set(Math.sin(azimuth) * flat, Math.cos(azimuth) * flat, Math.sin(elevation));
    camera.position.multiplyScalar(far).add(middle);
    camera.lookAt(middle);
    camera.translateX(x).translateY(y);
    camera.near = 0.01 * this.radius;
    camera.far = 2 * far;
    camera.zoom = zoom;
    camera.updateProjectionMatrix();
    // Letters on the far side of the box are dimmed.
    const near = camera.position.clone().sub(middle).normalize();
    for (const { sprite, away } of this.letters) sprite.material.opacity = near.dot(away) < -0.1 ? 0.35 : 1;
    this.renderer.render(this.scene, camera);
    this.root.dataset.frames = String(++this.frames);
    this.root.dataset.state = "rendered";
  }
}

function wake(root) {
  if (root.dataset.state !== "waiting") return;
  root.dataset.state = "starting";
  const view = new View(root);
  const start = () => view.start();
  root.querySelector(".v3d-start").addEventListener("click", start);
  // Built when it comes into sight, so that the page itself opens at once.
  if ("IntersectionObserver" in window) {
    const watch = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watch.disconnect();
      start();
    }, { rootMargin: "100px" });
    watch.observe(view.stage);
  }
}

for (const root of document.querySelectorAll(".view3d")) wake(root);
