package script

import "strings"

// pairs makes a table of words of the form "а=a".
func pairs(words string) map[rune]string {
	t := map[rune]string{}
	for w := range strings.FieldsSeq(words) {
		from, to, _ := strings.Cut(w, "=")
		for _, r := range from {
			t[r] = to
		}
	}
	return t
}

// letters spells one letter each. Soft and hard signs are silent.
var letters = pairs(`
	а=a б=b в=v г=g д=d е=e ё=e ж=zh з=z и=i й=y к=k л=l м=m н=n о=o п=p р=r с=s т=t у=u ф=f х=kh ц=ts ч=ch ш=sh щ=shch ъ= ы=y ь= э=e ю=yu я=ya
	і=i ї=yi є=ye ґ=g ў=u ј=j љ=lj њ=nj ћ=c ђ=dj џ=dz ѓ=g ќ=k ѕ=dz ѐ=e ѝ=i ә=a ө=o ү=u ұ=u қ=k ғ=g ң=n һ=h
	α=a β=v γ=g δ=d ε=e ζ=z η=i θ=th ι=i κ=k λ=l μ=m ν=n ξ=x ο=o π=p ρ=r σς=s τ=t υ=y φ=f χ=ch ψ=ps ω=o
	ա=a բ=b գ=g դ=d ե=e զ=z է=e ը=y թ=t ժ=zh ի=i լ=l խ=kh ծ=ts կ=k հ=h ձ=dz ղ=gh ճ=ch մ=m յ=y ն=n շ=sh ո=o չ=ch պ=p ջ=j ռ=r ս=s վ=v տ=t ր=r ց=ts ւ=v փ=p ք=k օ=o ֆ=f և=ev
	ა=a ბ=b გ=g დ=d ე=e ვ=v ზ=z თ=t ი=i კ=k ლ=l მ=m ნ=n ო=o პ=p ჟ=zh რ=r ს=s ტ=t უ=u ფ=p ქ=k ღ=gh ყ=q შ=sh ჩ=ch ც=ts ძ=dz წ=ts ჭ=ch ხ=kh ჯ=j ჰ=h
`)

// table appends the spelling of a letter that has one.
func (w *writer) table(r rune) bool {
	s, ok := letters[r]
	if !ok {
		return false
	}
	switch {
	case r == 'υ' && w.last == 'ο', r == 'ւ' && w.last == 'ո':
		s = "u" // ου, ու
	case r == 'υ' && (w.last == 'α' || w.last == 'ε'):
		s = "v"
	}
	w.dst = append(w.dst, s...)
	w.last = r
	return true
}

// kanas spells hiragana; katakana are the same, 0x60 further.
var kanas = pairs(`
	あぁ=a いぃ=i うぅ=u えぇ=e おぉ=o かゕ=ka き=ki く=ku けゖ=ke こ=ko が=ga ぎ=gi ぐ=gu げ=ge ご=go さ=sa し=shi す=su せ=se そ=so ざ=za じ=ji ず=zu ぜ=ze ぞ=zo
	た=ta ち=chi つ=tsu て=te と=to だ=da ぢ=ji づ=zu で=de ど=do な=na に=ni ぬ=nu ね=ne の=no は=ha ひ=hi ふ=fu へ=he ほ=ho ば=ba び=bi ぶ=bu べ=be ぼ=bo ぱ=pa ぴ=pi ぷ=pu ぺ=pe ぽ=po
	ま=ma み=mi む=mu め=me も=mo や=ya ゆ=yu よ=yo ら=ra り=ri る=ru れ=re ろ=ro わゎ=wa ゐ=i ゑ=e を=o ん=n ゔ=vu
`)

// kana appends a syllable of hiragana or katakana. A small ya, yu or yo replaces the vowel before it; long vowels and doubled consonants
// are written once, as passports do.
func (w *writer) kana(r rune) bool {
	if r >= 0x30a1 && r <= 0x30f6 {
		r -= 0x60
	}
	switch r {
	case 'ー', 'っ':
		return true
	case 'ゃ', 'ゅ', 'ょ':
		s := map[rune]string{'ゃ': "ya", 'ゅ': "yu", 'ょ': "yo"}[r]
		if before := kanas[w.last]; len(before) > 1 && before[len(before)-1] == 'i' {
			w.dst = w.dst[:len(w.dst)-1]
			if strings.HasSuffix(before, "hi") && len(before) == 3 || before == "ji" {
				s = s[1:]
			}
		}
		w.dst = append(w.dst, s...)
		w.last = r
		return true
	}
	s, ok := kanas[r]
	if !ok {
		return false
	}
	w.dst = append(w.dst, s...)
	w.last = r
	return true
}

const hangulFirst, hangulLast = 0xac00, 0xd7a3

var (
	hangulInitials = strings.Fields("g kk n d tt r m b pp s ss - j jj ch k t p h")
	hangulVowels   = strings.Fields("a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i")
	hangulFinals   = strings.Fields("- k k k n n n t l k m l l l p l m p p t t ng t t k t p t")
)

// appendHangul appends a syllable: initial, vowel, final by its number.
func appendHangul(dst []byte, r rune) []byte {
	n := int(r) - hangulFirst
	for _, s := range []string{hangulInitials[n/588], hangulVowels[n%588/28], hangulFinals[n%28]} {
		if s != "-" {
			dst = append(dst, s...)
		}
	}
	return dst
}

// consonants spells Arabic (with Persian) and Hebrew letters.
var consonants = pairs(`
	اآأٱ=a إ=i ء= ؤ=ou ئ=i ب=b پ=p ت=t ث=th ج=j چ=ch ح=h خ=kh د=d ذ=dh ر=r ز=z ژ=j س=s ش=sh ص=s ض=d ط=t ظ=z ع=a غ=gh ف=f ق=k کك=k گ=g ل=l م=m ن=n ه=h ة=a و=w یي=y ى=a
	א=a ב=b ג=g ד=d ה=h ו=v ז=z ח=h ט=t י=y כך=k ל=l מם=m נן=n ס=s ע=a פף=p צץ=tz ק=k ר=r ש=sh ת=t
`)

// appendConsonantal appends a word of a script that leaves vowels out: as it is customarily written if it is a common name, else letter by
// letter, with the letters that stand for long vowels read so between consonants.
func appendConsonantal(dst []byte, word []rune) []byte {
	if s, ok := customary[string(word)]; ok {
		return append(dst, s...)
	}
	for i, r := range word {
		s, ok := consonants[r]
		inner := i > 0
		switch {
		case !ok:
			s = string(r)
		case inner && (r == 'و' || r == 'ו'):
			s = "ou"
		case inner && (r == 'ي' || r == 'ی' || r == 'י'):
			s = "i"
		case inner && r == 'ה' && i == len(word)-1:
			s = "a"
		}
		dst = append(dst, s...)
	}
	return dst
}

// customary has the commonest names in Arabic and Hebrew letters as they are written in France. Written for this project.
var customary = func() map[string]string {
	t := map[string]string{}
	for w := range strings.FieldsSeq(`
		محمد=mohamed أحمد=ahmed احمد=ahmed محمود=mahmoud علي=ali حسن=hassan حسين=hussein عمر=omar عثمان=othman إبراهيم=ibrahim ابراهيم=ibrahim يوسف=youssef خالد=khaled سعيد=said رشيد=rachid كريم=karim سمير=samir
		نبيل=nabil طارق=tarek مصطفى=mustapha عبد=abd الله=allah عبدالله=abdallah الرحمن=rahman عبدالرحمن=abderrahman القادر=kader عبدالقادر=abdelkader العزيز=aziz عبدالعزيز=abdelaziz الكريم=krim حمزة=hamza بلال=bilal ياسين=yassine
		أمين=amine امين=amine سليم=salim جمال=jamal كمال=kamel وليد=walid رضا=reda زكريا=zakaria إسماعيل=ismael اسماعيل=ismael عيسى=aissa موسى=moussa هشام=hicham فؤاد=fouad نور=nour صالح=salah منير=mounir أنس=anas انس=anas
		فاطمة=fatima عائشة=aicha خديجة=khadija مريم=mariam زينب=zineb أمينة=amina امينة=amina ليلى=leila سارة=sara نادية=nadia سميرة=samira ياسمين=yasmine سلمى=salma هدى=houda حنان=hanane نجاة=najat رشيدة=rachida سعاد=souad
		كريمة=karima مليكة=malika جميلة=jamila فريدة=farida حياة=hayat إيمان=imane ايمان=imane نورة=nora ابن=ben بن=ben أبو=abou ابو=abou
		דוד=david משה=moshe יוסף=yossef יעקב=yaakov אברהם=avraham יצחק=yitzhak שרה=sarah רבקה=rebecca רחל=rachel לאה=lea מרים=myriam חנה=hanna אסתר=esther רות=ruth שמואל=samuel דניאל=daniel מיכאל=michael
		יונתן=yonatan שלמה=salomon אליהו=eliahou אהרן=aaron בנימין=benjamin יהודה=yehuda שמעון=simon לוי=levy כהן=cohen נועה=noa תמר=tamar מיכל=michal יעל=yael ישראל=israel חיים=haim
	`) {
		from, to, _ := strings.Cut(w, "=")
		t[from] = to
	}
	return t
}()
