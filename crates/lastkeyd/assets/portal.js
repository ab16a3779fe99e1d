// What only a script can do. Every page works without it, but for passkeys.
"use strict";

(() => {
  // What a passkey derives its key from: the same for all, or it would derive another the next time.
  const salt = new TextEncoder().encode("lastkey: the key of an account, 1");

  const toText = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replaceAll("=", "");

  const toBytes = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

  const ask = async (path, fields) => {
    const answer = await fetch(path, { method: "POST", body: new URLSearchParams(fields) });
    if (!answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      throw new Error(page.querySelector("main p")?.textContent ?? "The server did not answer.");
    }
    const { ceremony, options } = await answer.json();
    return { ceremony, options: options.publicKey };
  };

  const derived = (credential) => {
    const first = credential.getClientExtensionResults().prf?.results?.first;
    return first ? toText(first) : "";
  };

  // Shows a passkey: whose it is, and the key that it derives.
  const show = async (form) => {
    const { ceremony, options } = await ask("/sign-in/passkey", {});
    options.challenge = toBytes(options.challenge);
    options.allowCredentials = [];
    options.extensions = { prf: { eval: { first: salt } } };
    const credential = await navigator.credentials.get({ publicKey: options });
    const { authenticatorData, clientDataJSON, signature, userHandle } = credential.response;
    form.elements.ceremony.value = ceremony;
    form.elements.prf.value = derived(credential);
    form.elements.passkey.value = JSON.stringify({
      id: credential.id,
      rawId: toText(credential.rawId),
      type: credential.type,
      response: {
        authenticatorData: toText(authenticatorData),
        clientDataJSON: toText(clientDataJSON),
        signature: toText(signature),
        userHandle: userHandle ? toText(userHandle) : null,
      },
    });
  };

  // Makes a passkey. Many derive a key only when they are shown: then it is shown once more, to this page alone.
  const make = async (form, path, prefix) => {
    const fields = {};
    for (const name of ["invitation", "name"]) {
      if (form.elements[name]) {
        fields[name] = form.elements[name].value;
      }
    }
    const { ceremony, options } = await ask(path, fields);
    options.challenge = toBytes(options.challenge);
    options.user.id = toBytes(options.user.id);
    for (const known of options.excludeCredentials ?? []) {
      known.id = toBytes(known.id);
    }
    options.extensions = { ...options.extensions, prf: { eval: { first: salt } } };
    const credential = await navigator.credentials.create({ publicKey: options });
    let prf = derived(credential);
    if (!prf && credential.getClientExtensionResults().prf?.enabled) {
      const shown = await navigator.credentials.get({
        publicKey: {
          challenge: crypto.getRandomValues(new Uint8Array(32)),
          rpId: options.rp.id,
          allowCredentials: [{ type: "public-key", id: credential.rawId }],
          userVerification: "required",
          extensions: { prf: { eval: { first: salt } } },
        },
      });
      prf = derived(shown);
    }
    const { attestationObject, clientDataJSON } = credential.response;
    form.elements[`${prefix}ceremony`].value = ceremony;
    form.elements[`${prefix}prf`].value = prf;
    form.elements[`${prefix}passkey`].value = JSON.stringify({
      id: credential.id,
      rawId: toText(credential.rawId),
      type: credential.type,
      response: {
        attestationObject: toText(attestationObject),
        clientDataJSON: toText(clientDataJSON),
        transports: credential.response.getTransports?.() ?? [],
      },
    });
  };

  const run = (button, work) => {
    const form = button.form;
    const says = form.querySelector("[data-says]");
    button.addEventListener("click", async () => {
      for (const field of form.querySelectorAll("[data-needed]")) {
        if (!field.reportValidity()) {
          return;
        }
      }
      button.disabled = true;
      try {
        await work(form);
        HTMLFormElement.prototype.submit.call(form);
        if ("stays" in form.dataset) {
          // What comes is a file: the page stays, and is ready for another try. What was shown is good once.
          for (const name of ["ceremony", "passkey", "prf"]) {
            form.elements[name].value = "";
          }
          says.textContent = "";
          button.disabled = false;
        }
      } catch (error) {
        says.textContent =
          error.name === "NotAllowedError" ? "No passkey was shown, or it took too long. Try again." : error.message;
        button.disabled = false;
      }
    });
  };

  if (window.PublicKeyCredential && navigator.credentials) {
    for (const part of document.querySelectorAll("[data-passkeys]")) {
      part.hidden = false;
    }
    for (const button of document.querySelectorAll("button[data-show]")) {
      run(button, show);
    }
    for (const button of document.querySelectorAll("button[data-make]")) {
      run(button, (form) => make(form, button.dataset.make, button.dataset.prefix ?? ""));
    }
  }

  // An invitation stands behind the #, where no server and no log sees it.
  const invitation = document.querySelector("input[name=invitation]");
  if (invitation && location.hash.length > 1) {
    invitation.value = decodeURIComponent(location.hash.slice(1));
    history.replaceState(null, "", location.pathname);
  }
})();
