// What the page says, in English and Korean.

const TEXTS = {
  en: {
    stays: "Fills holes in photos in this browser. The photo never leaves it.",
    tools: "Tools",
    open: "Open a photo",
    brush: "Brush",
    fill: "Fill",
    undo: "Undo",
    download: "Download",
    drop: "Open a photo or drop it here, then paint over what is to go.",
    marks: "Photo: paint over what is to go",
    loading: "Loading the network…",
    ready: "Ready.",
    paint: "Paint over what is to go, then fill.",
    filling: "Filling… {done} of {all}",
    filled: "Filled in {seconds} s.",
    unreadable: "expected a photo that this browser can read, got {name}",
    broken: "The network could not run: {reason}",
    covered: "expected some known pixels around the hole, got a hole that covers the photo",
  },
  ko: {
    stays: "사진의 구멍을 이 브라우저 안에서 채웁니다. 사진은 밖으로 나가지 않습니다.",
    tools: "도구",
    open: "사진 열기",
    brush: "붓",
    fill: "채우기",
    undo: "되돌리기",
    download: "내려받기",
    drop: "사진을 열거나 여기에 끌어다 놓고, 지울 곳을 칠하세요.",
    marks: "사진: 지울 곳을 칠하세요",
    loading: "신경망을 불러오는 중…",
    ready: "준비되었습니다.",
    paint: "지울 곳을 칠한 다음 채우기를 누르세요.",
    filling: "채우는 중… {all}곳 중 {done}곳",
    filled: "{seconds}초 만에 채웠습니다.",
    unreadable: "이 브라우저가 읽을 수 없는 파일입니다: {name}",
    broken: "신경망을 실행하지 못했습니다: {reason}",
    covered: "사진 전체가 구멍입니다. 남아 있는 부분이 있어야 채울 수 있습니다.",
  },
};

const language = navigator.language.startsWith("ko") ? "ko" : "en";

/** A text in the browser's language, with values put in. */
export function text(name, values = {}) {
  return TEXTS[language][name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

/** Put all texts of the page in their places. */
export function translate() {
  document.documentElement.lang = language;
  for (const each of document.querySelectorAll("[data-text]")) each.textContent = text(each.dataset.text);
  for (const each of document.querySelectorAll("[data-label]")) each.ariaLabel = text(each.dataset.label);
}
