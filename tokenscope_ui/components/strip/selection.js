// Carries a selection made elsewhere to the strip named in `data`, in a message of a few bytes:
// the strip's own message holds every token and must not change for this.
const SELECTIONS = Symbol.for("tokenscope.strip.selections");

export default function carrySelection({ data, parentElement }) {
  const selections = (globalThis[SELECTIONS] ??= new Map());
  selections.set(data.strip, data);
  document.dispatchEvent(new CustomEvent("tokenscope:strip-selection", { detail: data }));
  return () => {
    // Streamlit also calls this when newer data overtook the call: only a removed element counts.
    const gone = !parentElement.isConnected && selections.get(data.strip) === data;
    if (gone) selections.delete(data.strip);
  };
}
