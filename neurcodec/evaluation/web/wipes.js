// A wipe between any two versions of a clip: handle, zoom, pan, frames, flip. Both pictures always move together.

const ZOOMS = [1, 2, 4];
const STEP = 0.02;

/** What a caption says of a version: name, size, the size against the other one, and its own text. */
function captionParts(version, other) {
  const parts = [html("b", {}, version.name)];
  if (version.bytes !== null) {
    let size = bytesText(version.bytes);
    if (other !== null && other.bytes) {
      const percent = 100 * (version.bytes / other.bytes - 1);
      size += ` (${percent < 0 ? "\u2212" : "+"}${Math.abs(percent).toFixed(1)} %)`;
    }
    parts.push(html("span", { class: "value" }, size));
  }
  if (version.caption) parts.push(html("span", {}, version.caption));
  return parts;
}

class Stage {
  /** The two pictures with the handle; `position` is the share of its width at which the handle stands. */
  constructor() {
    this.images = ["left", "right"].map((side) => html("img", { alt: "", draggable: "false", "data-side": side }));
    this.images.forEach((image) => { image.decoding = "sync"; });
    this.layers = this.images.map((image) => html("div", { class: "layer" }, image));
    this.tags = ["left", "right"].map((side) => html("span", { class: `tag ${side}` }));
    this.handle = html("div", { class: "handle", role: "slider", tabindex: "0", "aria-label": "Place of the wipe",
      "aria-valuemin": "0", "aria-valuemax": "100" }, html("i", {}));
    this.element = html("div", { class: "stage" }, ...this.layers, ...this.tags, this.handle);
    this.room = html("div", { class: "room" }, this.element);
    Object.assign(this, { position: 0.5, zoom: 1, flipped: false, centre: [0.5, 0.5] });
    this.images[0].addEventListener("load", () => this.place());
    addEventListener("resize", () => this.place());
    this.element.addEventListener("pointerdown", (event) => this.press(event));
    this.handle.addEventListener("keydown", (event) => this.key(event));
  }

  /** Show these two versions at this frame; the pictures are told only what changed, so that nothing flashes. */
  show(versions, frame) {
    versions.forEach((version, i) => {
      const source = version.images[frame];
      if (this.images[i].src !== source) this.images[i].src = source;
      this.images[i].alt = version.name;
    });
    this.names = versions.map((version) => version.name);
    this.place();
  }

  /** Lay everything out from position, zoom, centre and the room that there is. */
  place() {
    const [width, height] = [this.images[0].naturalWidth, this.images[0].naturalHeight];
    const room = this.room.clientWidth;
    if (!width || !room || !this.names) return;
    const scale = Math.min(1, room / width) * this.zoom;
    this.size = [width * scale, height * scale];
    const base = this.size[1] / this.zoom;
    const tallest = Math.max(base, 0.65 * window.innerHeight);
    this.view = [Math.min(room, this.size[0]), Math.min(this.size[1], tallest)].map(Math.floor);
    this.room.parentElement.style.setProperty("--stage", `${this.view[0]}px`);
    this.element.style.width = `${this.view[0]}px`;
    this.element.style.height = `${this.view[1]}px`;
    this.element.classList.toggle("zoomed", this.zoom > 1);
    const offset = [0, 1].map((axis) => this.offset(axis));
    this.images.forEach((image) => {
      image.style.width = `${this.size[0]}px`;
      image.style.height = `${this.size[1]}px`;
      image.style.transform = `translate(${-offset[0]}px, ${-offset[1]}px)`;
    });
    this.divide();
  }

  /** How far the picture is shifted along one axis, and its centre put where that shift is possible. */
  offset(axis) {
    const spare = this.size[axis] - this.view[axis];
    const offset = clamp(this.centre[axis] * this.size[axis] - this.view[axis] / 2, 0, spare);
    this.centre[axis] = (offset + this.view[axis] / 2) / this.size[axis];
    return Math.round(offset);
  }

  /** Put handle and clipping at the position; flipped, the two sides change places. */
  divide() {
    const at = 100 * this.position;
    const order = this.flipped ? [1, 0] : [0, 1];
    this.layers[order[0]].style.clipPath = `inset(0 ${100 - at}% 0 0)`;
    this.layers[order[1]].style.clipPath = `inset(0 0 0 ${at}%)`;
    this.handle.style.left = `${at}%`;
    this.handle.setAttribute("aria-valuenow", Math.round(at));
    this.tags.forEach((tag, i) => {
      tag.textContent = this.names[order[i]];
      tag.classList.toggle("covered", i ? at > 99 : at < 1);
    });
  }

  move(position) {
    this.position = clamp(position, 0, 1);
    this.divide();
  }

  pan(x, y) {
    this.centre[0] += x / this.size[0];
    this.centre[1] += y / this.size[1];
    this.place();
  }

  /** Follow a pointer until it is lifted: the handle, or the picture when it is larger than the stage. */
  press(event) {
    if (event.button !== 0 || !this.size) return;
    const wiping = this.zoom === 1 || this.handle.contains(event.target);
    const left = this.element.getBoundingClientRect().left;
    let last = [event.clientX, event.clientY];
    const follow = (moved) => {
      if (wiping) this.move((moved.clientX - left) / this.view[0]);
      else this.pan(last[0] - moved.clientX, last[1] - moved.clientY);
      last = [moved.clientX, moved.clientY];
    };
    const release = () => {
      this.element.removeEventListener("pointermove", follow);
      ["pointerup", "pointercancel"].forEach((name) => this.element.removeEventListener(name, release));
    };
    this.element.setPointerCapture(event.pointerId);
    this.element.addEventListener("pointermove", follow);
    ["pointerup", "pointercancel"].forEach((name) => this.element.addEventListener(name, release));
    event.preventDefault();
    this.handle.focus({ preventScroll: true });
    follow(event);
  }

  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Home" || event.key === "End") this.move(event.key === "End" ? 1 : 0);
    else if (steps && (event.shiftKey || (steps[1] && this.zoom > 1))) this.pan(40 * steps[0], 40 * steps[1]);
    else if (steps && steps[0]) this.move(this.position + STEP * steps[0]);
    else return;
    event.preventDefault();
  }
}

/** Hold F anywhere, or press the button, to let the two sides change places. */
function flipControl(stage, captions) {
  const button = html("button", { type: "button", "aria-pressed": "false", title: "hold F" }, "Flip");
  let pressed = false;
  const set = (flipped) => {
    if (stage.flipped === flipped) return;
    stage.flipped = flipped;
    button.setAttribute("aria-pressed", flipped);
    captions();
    stage.place();
  };
  button.addEventListener("click", () => { pressed = !pressed; set(pressed); });
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "f" || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault(); // a focused picker would look for a name with F
    set(!pressed);
  });
  document.addEventListener("keyup", (event) => { if (event.key.toLowerCase() === "f") set(pressed); });
  window.addEventListener("blur", () => set(pressed));
  return button;
}

/** The version of the same name in another clip, or else the one that this clip starts with. */
function sameVersion(wipe, name, start) {
  const index = wipe.versions.findIndex((version) => version.name === name);
  return index < 0 ? start : index;
}

/** The section: pickers, stage, captions. */
function wipeViewer(wipes) {
  const stage = new Stage();
  const state = { clip: 0, pair: [...wipes[0].pair], frame: 0 };
  const controls = html("div", { class: "controls" }), frames = html("div", { class: "controls" });
  const captions = ["left", "right"].map((side) => html("div", { class: `caption ${side}` }));
  const note = html("p", { class: "note" });
  const wipe = () => wipes[state.clip];
  const describe = () => {
    const shown = state.pair.map((index) => wipe().versions[index]);
    if (stage.flipped) shown.reverse();
    captions[0].replaceChildren(...captionParts(shown[0], null));
    captions[1].replaceChildren(...captionParts(shown[1], shown[0]));
  };
  const update = () => {
    describe();
    stage.show(state.pair.map((index) => wipe().versions[index]), state.frame);
  };
  const flip = flipControl(stage, describe);
  const zoom = choice("Zoom", ZOOMS.map((z) => `${z}\u00d7`), 0, (i) => { stage.zoom = ZOOMS[i]; stage.place(); });
  const build = () => {
    const names = wipe().versions.map((version) => version.name);
    const side = (label, i) => picker(label, names, state.pair[i], (v) => { state.pair[i] = v; update(); });
    const clips = picker("Clip", wipes.map((w) => w.clip), state.clip, (index) => {
      const kept = state.pair.map((i) => wipe().versions[i].name);
      state.clip = index;
      state.frame = Math.min(state.frame, wipe().frames.length - 1);
      state.pair = kept.map((name, i) => sameVersion(wipe(), name, wipe().pair[i]));
      build();
    });
    controls.replaceChildren(...(wipes.length > 1 ? [clips] : []), side("Left", 0), side("Right", 1));
    const numbers = wipe().frames.map(String);
    const frame = choice("Frame", numbers, state.frame, (i) => { state.frame = i; update(); });
    frames.replaceChildren(...(numbers.length > 1 ? [frame] : []), zoom, flip);
    note.textContent = wipe().note;
    update();
  };
  build();
  const help = html("p", { class: "note" }, "Drag the handle, or focus it and use \u2190 \u2192 (Home and End show one " +
    "version whole). Hold F, or press Flip, to let the two change places. Zoomed: drag the picture, or use " +
    "\u2191 \u2193 and Shift + \u2190 \u2192.");
  return html("div", { class: "wipes" }, controls, frames, stage.room,
    html("div", { class: "captions" }, ...captions), note, help);
}
