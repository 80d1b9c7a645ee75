"""A pad to draw on in a notebook, with the mouse or a finger. It needs no network."""

import anywidget
import numpy as np
import traitlets

SPACING = 0.02  # between neighbouring points of a stroke


class Pad(anywidget.AnyWidget):
    """Displays an empty square. strokes: what was drawn, for each stroke a list of [x, y] in [-1, 1], y upwards."""

    strokes = traitlets.List().tag(sync=True)
    clear = traitlets.Unicode("clear").tag(sync=True)  # what stands on the button

    _esm = """
    function render({ model, el }) {
      const size = 280, canvas = document.createElement("canvas"), button = document.createElement("button");
      canvas.width = canvas.height = size;
      canvas.style = "display: block; border: 1px solid; background: white; touch-action: none; cursor: crosshair";
      button.textContent = model.get("clear");
      const pen = canvas.getContext("2d");
      Object.assign(pen, { lineWidth: 4, lineCap: "round", lineJoin: "round", strokeStyle: "#2F3640" });
      let now = null;
      const draw = () => {
        pen.clearRect(0, 0, size, size);
        for (const stroke of [...model.get("strokes"), now ?? []]) {
          pen.beginPath();
          for (const [x, y] of stroke) pen.lineTo(((x + 1) / 2) * size, ((1 - y) / 2) * size);
          pen.stroke();
        }
      };
      const place = (event) => {
        const box = canvas.getBoundingClientRect();
        const inside = (value) => Math.max(-1, Math.min(1, value));
        return [inside((2 * (event.clientX - box.left)) / box.width - 1),
                inside(1 - (2 * (event.clientY - box.top)) / box.height)];
      };
      const keep = (strokes) => { model.set("strokes", strokes); model.save_changes(); draw(); };
      canvas.onpointerdown = (event) => { canvas.setPointerCapture(event.pointerId); now = [place(event)]; };
      canvas.onpointermove = (event) => { if (now) { now.push(place(event)); draw(); } };
      canvas.onpointerup = canvas.onpointercancel = () => {
        if (now) { const done = now; now = null; keep([...model.get("strokes"), done]); }
      };
      button.onclick = () => keep([]);
      model.on("change:strokes", draw);
      el.append(canvas, button);
      draw();
    }
    export default { render };
    """

    @property
    def points(self) -> np.ndarray:
        """The strokes as points (N, 2) at even distances, however fast the hand was."""
        found = [np.empty((0, 2))]
        for stroke in self.strokes:
            line = np.asarray(stroke, dtype=float)
            along = np.append(0, np.linalg.norm(np.diff(line, axis=0), axis=1).cumsum())
            places = np.linspace(0, along[-1], 1 + round(along[-1] / SPACING))
            found.append(np.stack([np.interp(places, along, axis) for axis in line.T], axis=1))
        return np.concatenate(found)
