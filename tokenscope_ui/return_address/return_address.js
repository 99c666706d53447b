const KEY = "tokenscope address";

export default function ({ data }) {
  const here = window.location;
  if (!data.signedIn) {
    window.sessionStorage.setItem(KEY, here.pathname + here.search);
    return;
  }
  const kept = window.sessionStorage.getItem(KEY);
  window.sessionStorage.removeItem(KEY);
  // Signing in leads to a bare address; what a person opened since then is not to be left. A path
  // of this server: "//host" would be another one.
  if (kept && !here.search && /^\/(?!\/)/.test(kept) && kept !== here.pathname) {
    here.replace(kept);
  }
}
