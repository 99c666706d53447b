const KEY = "tokenscope address";
// Tells the other tabs that somebody has signed out; the server would refuse what they ask for next.
const signOuts = new BroadcastChannel("tokenscope sign out");
let told = false;

export default function ({ data }) {
  const here = window.location;
  if (!data.signedIn) {
    window.sessionStorage.setItem(KEY, here.pathname + here.search);
    signOuts.onmessage = null;
    if (!told) signOuts.postMessage(null);
    told = true;
    return;
  }
  signOuts.onmessage = () => here.reload();
  const kept = window.sessionStorage.getItem(KEY);
  window.sessionStorage.removeItem(KEY);
  // Signing in leads to a bare address; what a person opened since then is not to be left. A path
  // of this server: "//host" would be another one.
  if (kept && !here.search && /^\/(?!\/)/.test(kept) && kept !== here.pathname) {
    here.replace(kept);
  }
}
