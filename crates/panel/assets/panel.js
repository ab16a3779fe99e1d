// What the pages can do without: parts of them that change by themselves.
"use strict";

// Asks for a part of the page again and again: how far a job is.
for (const part of document.querySelectorAll("[data-follow]")) {
  const ask = async () => {
    const answer = await fetch(part.dataset.follow).catch(() => null);
    if (answer?.status === 200) {
      part.innerHTML = await answer.text();
      setTimeout(ask, 500);
    } else if (answer?.status === 205) {
      location.reload();
    } else {
      // The program has ended, or is too busy.
      setTimeout(ask, 2000);
    }
  };
  setTimeout(ask, 300);
}

// Shows the drives anew when one has come or gone.
for (const part of document.querySelectorAll("[data-live]")) {
  const changes = new EventSource(part.dataset.live + "/changes");
  changes.onmessage = async () => {
    const answer = await fetch(part.dataset.live + "/part").catch(() => null);
    if (answer?.status !== 200) return;
    const shown = document.createElement("div");
    shown.innerHTML = await answer.text();
    // Whoever is in the middle of it with the keyboard stays where they are.
    if (shown.innerHTML.trim() === part.innerHTML.trim()) return;
    const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    part.replaceChildren(...shown.childNodes);
    if (focused) part.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  };
}

// Finds while somebody types.
for (const field of document.querySelectorAll("[data-search]")) {
  let last = 0;
  field.addEventListener("input", async () => {
    const own = ++last;
    const query = new URLSearchParams({ q: field.value });
    const answer = await fetch(`${field.dataset.search}?${query}`).catch(() => null);
    if (own !== last || answer?.status !== 200) return;
    document.getElementById("found").innerHTML = await answer.text();
  });
}

// Eight boxes for a recovery key: each group is checked as it is typed, and a key that is pasted falls into all of them.
for (const boxes of document.querySelectorAll("[data-boxes]")) {
  const inputs = [...boxes.querySelectorAll("input")];
  const unknown = "unknown" in boxes.dataset;
  const marks = unknown ? /[^0-9?_*#x]/gi : /\D/g;
  const plain = (text) => text.normalize("NFKC").replace(marks, "");
  const check = (input) => {
    const group = plain(input.value);
    const whole = /^\d{6}$/.test(group);
    const right = whole && Number(group) % 11 === 0 && Number(group) < 720896;
    const says = document.getElementById(input.getAttribute("aria-describedby"));
    says.textContent = whole && !right ? boxes.dataset.wrong : "";
    input.toggleAttribute("aria-invalid", false);
    if (whole && !right) input.setAttribute("aria-invalid", "true");
    input.classList.toggle("right", right);
    return right;
  };
  const fill = (text, from) => {
    // Words around the digits, such as the key ID, are not part of the key.
    const found = text.normalize("NFKC").match(/(?:\d{6}[^\dA-Za-z]{0,3}){7}\d{6}/);
    const digits = plain(found ? found[0] : text);
    const first = digits.length > 42 ? 0 : from;
    inputs.slice(first).forEach((input, place) => {
      const group = digits.slice(6 * place, 6 * place + 6);
      if (group) input.value = group;
    });
    inputs.forEach(check);
    (inputs.find((input) => plain(input.value).length < 6) ?? inputs.at(-1)).focus();
  };
  inputs.forEach((input, place) => {
    input.addEventListener("paste", (event) => {
      const text = event.clipboardData?.getData("text") ?? "";
      if (plain(text).length <= 6) return;
      event.preventDefault();
      fill(text, place);
    });
    input.addEventListener("input", (event) => {
      if (plain(input.value).length > 6 && !unknown) {
        fill(input.value, place);
        return;
      }
      const right = check(input);
      // What is corrected later is left alone.
      const typed = event.inputType === "insertText" && input.selectionStart === input.value.length;
      if (right && typed) inputs[place + 1]?.focus();
    });
    input.addEventListener("blur", () => {
      const group = plain(input.value);
      if (!unknown && group && group.length < 6) {
        document.getElementById(input.getAttribute("aria-describedby")).textContent = boxes.dataset.short;
        input.setAttribute("aria-invalid", "true");
      }
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Backspace" && input.value === "" && place > 0) inputs[place - 1].focus();
    });
    // What the server says of it stays until it is changed.
    if (input.value && !input.hasAttribute("aria-invalid")) check(input);
  });
}

// A camera takes the picture that would else be chosen as a file.
for (const camera of document.querySelectorAll("[data-camera]")) {
  if (!navigator.mediaDevices) continue;
  const [use, seen, take, none] = ["use", "seen", "take", "none"].map((name) => camera.querySelector(`[data-${name}]`));
  const video = camera.querySelector("video");
  const off = () => {
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    video.srcObject = null;
    seen.hidden = true;
    use.hidden = false;
  };
  camera.hidden = false;
  use.addEventListener("click", async () => {
    // The sharpest picture that it can take.
    const wanted = { facingMode: "environment", width: { ideal: 4096 }, height: { ideal: 4096 } };
    const stream = await navigator.mediaDevices.getUserMedia({ video: wanted }).catch(() => null);
    none.hidden = stream !== null;
    if (!stream) return;
    video.srcObject = stream;
    await video.play();
    use.hidden = true;
    seen.hidden = false;
    take.focus();
  });
  take.addEventListener("click", () => {
    const still = document.createElement("canvas");
    [still.width, still.height] = [video.videoWidth, video.videoHeight];
    still.getContext("2d").drawImage(video, 0, 0);
    off();
    still.toBlob(
      (picture) => {
        const taken = new DataTransfer();
        taken.items.add(new File([picture], "camera.jpg", { type: picture.type }));
        const field = document.getElementById(camera.dataset.camera);
        field.files = taken.files;
        field.form.requestSubmit();
      },
      "image/jpeg",
      0.95,
    );
  });
  addEventListener("pagehide", off);
}

// What is secret is gone when the page is left, and does not come back with "Back".
addEventListener("pagehide", () => {
  for (const part of document.querySelectorAll("[data-forget]")) {
    if (part instanceof HTMLFormElement) {
      // The values that the page came with, too.
      for (const input of part.querySelectorAll("input:not([type=hidden])")) input.value = "";
    } else {
      part.replaceChildren();
    }
  }
});
addEventListener("pageshow", (event) => {
  if (event.persisted && document.querySelector("[data-forget]")) location.reload();
});

// Whoever types where something is means that, and not what was chosen above.
for (const field of document.querySelectorAll("[data-chooses]")) {
  field.addEventListener("input", () => {
    for (const choice of field.form.querySelectorAll(`input[type=radio][name="${field.dataset.chooses}"]`)) {
      choice.checked = choice.value === "";
    }
  });
}
