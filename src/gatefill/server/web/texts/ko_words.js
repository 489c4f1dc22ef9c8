/** 오류와 경고의 문장에 들어가는 서버의 영어 낱말. */
export default {
  "EXIF data": "EXIF 데이터",
  "IPTC data": "IPTC 데이터",
  "PNG texts": "PNG 텍스트",
  "XMP data": "XMP 데이터",
  "color profile": "색 프로필",
  "color space": "색 공간",
  "comments": "주석",
  "search": "가져올 영역",
  "search region": "가져올 영역",
  "sketch": "스케치",
  "too long": "너무 김",
};
