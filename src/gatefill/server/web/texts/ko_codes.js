/**
 * 서버의 오류와 경고를 코드별로 알려 주는 문장. docs/errors.md 참고.
 * {detail}은 서버가 보낸 문장이다.
 */
export default {
  // 마스크와 그린 것
  "mask.all_hole": "마스크가 사진 전체를 덮고 있어 채울 때 참고할 부분이 없습니다.",
  "mask.cutout": "사진에서 오려 낸 마스크입니다. 남아 있는 부분을 구멍으로 잡았습니다.",
  "mask.empty": "마스크가 비어 있어 사진이 그대로 돌아왔습니다.",
  "mask.erased": "일부를 지운 사진 사본입니다. 지운 부분을 구멍으로 잡았습니다.",
  "mask.grow": "마스크를 넓히는 값은 0픽셀 이상이어야 합니다(받은 값: {grow}).",
  "mask.hidden": "구멍이 사진의 투명한 부분에 있어, 채워도 보이지 않습니다.",
  "mask.inverted": "구멍이 사진의 {percent}%를 덮습니다. 마스크가 반대로 되어 있나요? 실행 취소 후 반전(I)하세요.",
  "mask.labels": "라벨 맵처럼 보이는 마스크입니다. 255 중 {threshold}보다 밝은 부분을 구멍으로 잡았습니다.",
  "mask.none": "사진에 투명한 부분이 없습니다. 없앨 것을 칠하세요.",
  "mask.nothing_painted": "없앨 것을 칠한 다음 채우세요.",
  "mask.orientation": "EXIF에 따라 돌리기 전의 사진에 맞는 마스크입니다. 마스크도 함께 돌려 주세요.",
  "mask.photo": "마스크가 사진처럼 보입니다. 밝은 부분을 구멍으로 잡았습니다.",
  "mask.rim": "구멍 둘레에 물체의 일부가 남았을 수 있습니다. 그렇다면 실행 취소 후 마스크를 넓혀(G) 다시 채우세요.",
  "mask.size": "마스크는 {width} × {height}, 사진은 {photo_width} × {photo_height}입니다. 같은 크기로 만들어 주세요.",
  "mask.turned": "이 사진은 EXIF에 따라 돌려서 보여 줍니다. 마스크의 위치가 맞는지 확인해 주세요.",
  "mask.values": "마스크의 값을 읽을 수 없습니다: {detail}",
  "mask.was_turned": "EXIF에 따라 돌리기 전의 사진에 맞춘 마스크여서, 사진과 함께 돌렸습니다.",
  "search.no_known_pixels": "가져올 영역이 모두 구멍 안에 있습니다.",
  "method.input_not_taken": "{method} 방법은 이 입력을 받지 않습니다: {plane}",
  "method.without_torch": "신경망이 설치되어 있지 않아 PatchMatch만으로 채웁니다.",

  // 페이지와 서버의 상태가 서로 다를 때
  "editor.patch": "이전에 채운 부분이 사진과 맞지 않습니다. 사진을 다시 여세요.",
  "editor.place": "그린 것이 사진 밖으로 벗어났습니다. 사진을 다시 여세요.",
  "server.unknown_model": "서버에 {model} 모델이 더 이상 없습니다. 페이지를 새로 고치세요.",

  // 서비스
  "server.bad_request": "서버가 요청을 이해하지 못했습니다: {detail}",
  "server.busy": "서버가 바쁩니다. 잠시 후 다시 시도하세요.",
  "server.error": "실패했습니다: {detail}",
  "server.forbidden": "서버가 허용하지 않는 요청입니다.",
  "server.foreign_origin": "이 페이지는 서버의 것이 아닙니다. 서버의 주소를 직접 여세요.",
  "server.internal_error": "서버 내부에서 문제가 생겼습니다: {detail}",
  "server.method_not_allowed": "서버가 요청을 이해하지 못했습니다: {detail}",
  "server.not_found": "서버에 없는 주소입니다. 버전이 바뀌었을 수 있으니 페이지를 새로 고치세요.",
  "server.out_of_memory": "지금은 서버의 메모리가 이 사진을 처리하기에 부족합니다.",
  "server.stopping": "서버가 종료되고 있습니다. 다시 시작해서 이어 가세요.",
  "server.time_limit": "시간이 너무 오래 걸려 멈췄습니다. 구멍을 줄이거나 다른 방법을 쓰면 빨라집니다.",
  "server.token_needed": "서버가 토큰을 다시 요구합니다. 페이지를 새로 고치세요.",
  "server.too_large": "이 서버에는 사진이 너무 큽니다: {detail}",
  "server.too_slow": "사진이 제때 도착하지 않았습니다. 연결이 느린지 확인하세요.",
  "server.unknown_host": "서버가 모르는 이름으로 접속했습니다. 서버가 출력한 주소로 여세요.",
  "server.unsupported_media_type": "서버가 요청을 이해하지 못했습니다: {detail}",
  "server.unusable_image": "이미지를 사용할 수 없습니다: {detail}",
  "server.wrong_field": "서버가 요청을 이해하지 못했습니다: {detail}",
};
