// Carries what Python chose (selection, crop, colours) to the drawing named in `data`, in a message
// of a few bytes: the drawing's own message is large and must not change for this.
const VIEWS = Symbol.for("tokenscope.views");

export default function carryView({ data, parentElement }) {
  const views = (globalThis[VIEWS] ??= new Map());
  views.set(data.matrix, data);
  document.dispatchEvent(new CustomEvent("tokenscope:view", { detail: data }));
  return () => {
    // Streamlit also calls this when newer data overtook the call: only a removed element counts.
    const gone = !parentElement.isConnected && views.get(data.matrix) === data;
    if (gone) views.delete(data.matrix);
  };
}
