"""Legal forms of companies, by country: the part of a name that says how a company is held, not which one it is.

Written as names are compared: lower case, no accents, no dots (``G.m.b.H.`` has become ``gmbh``), ``&`` as ``and``.
General vocabulary gathered country by country; a form used in several countries stands where it is commonest.
"""

# ruff: noqa: E501, SIM905 — word tables read better as running text
from __future__ import annotations

_BY_COUNTRY: dict[str, str] = {
    "common": "inc, incorporated, corp, corporation, company, co, limited, ltd, llc, lc, llp, lp, lllp, plc, group, holding, "
    "holdings, co ltd, co inc, and co, and company, and sons, public limited company, pty, unlimited",
    "US": "pllc, pc, pa, limited liability company, limited partnership, limited liability partnership, national association, "
    "na, fsb, trust, reit, professional corporation, psc, chartered, cooperative, coop, gp",
    "GB": "cic, cio, cyf, ccc, community interest company, ultd",
    "IE": "dac, designated activity company, clg, teoranta, teo, uc, company limited by guarantee, cpt",
    "CA": "ltee, limitee, incorporee, inc ltd, senc, sencrl, ulc, ltee ltd, enr",
    "AU": "pty ltd, proprietary limited, pty limited, propriety limited, nl, no liability",
    "NZ": "tapui limited, tapui",
    "ZA": "pty ltd, proprietary limited, pty, cc, close corporation, npc, soc ltd, rf, soc, edms bpk, bpk",
    "IN": "pvt ltd, private limited, pvt, private ltd, pvt limited, public limited, opc pvt ltd, opc",
    "SG": "pte ltd, pte, private limited, pte limited",
    "MY": "sdn bhd, bhd, berhad, sendirian berhad, sdn",
    "HK": "hk ltd, hong kong limited",
    "PH": "opc, inc philippines",
    "DE": "gmbh, mbh, ag, kg, ohg, ug, se, gbr, ev, eg, ek, ekfm, ekfr, gmbh and co kg, gmbh and co kgaa, ag and co kg, ag and co kgaa, kgaa, "
    "ug haftungsbeschrankt, aktiengesellschaft, gesellschaft mit beschrankter haftung, gesellschaft mbh, ges mbh, kommanditgesellschaft, "
    "offene handelsgesellschaft, ggmbh, gug, gag, eingetragener verein, eingetragene genossenschaft, kommanditgesellschaft auf aktien, "
    "se and co kgaa, se and co kg, gmbh and co ohg, gmbh and co, co kg, partg mbb, partgmbb, partg, vvag, haftungsbeschrankt, invag, mbb",
    "AT": "gesmbh, ges m b h, gesmbh and co kg, og, oeg, keg, gen, privatstiftung, eu, flexco, flexkapg",
    "CH": "sarl, sagl, gmbh, genossenschaft, societe cooperative, klg, kmg, gmbh in liquidation",
    "FR": "sa, sas, sasu, sarl, eurl, snc, sca, scs, sci, scop, scp, gie, societe anonyme, societe par actions simplifiee, selarl, "
    "societe a responsabilite limitee, ei, eirl, earl, gaec, scea, scm, sc, sem, societe en nom collectif, scic, s a r l",
    "BE": "sprl, bvba, srl, nv, cvba, scrl, asbl, vzw, comm v, sa nv, nv sa, cv, scri, vof, commva, besloten vennootschap, bv bvba, ivzw, aisbl",
    "NL": "bv, nv, vof, cv, besloten vennootschap, naamloze vennootschap, stichting, cooperatie, ua, ba, wa, b v i o, maatschap",
    "LU": "sarl, soparfi, scsp, sicav, sicar, sca sicar, secs",
    "ES": "sl, sa, slu, sau, slne, sll, sal, scoop, s coop, sociedad limitada, sociedad anonima, sociedad anonima unipersonal, "
    "sociedad limitada unipersonal, scl, cb, sociedad de responsabilidad limitada, srlu, slp, sociedad cooperativa, aie, sc",
    "PT": "lda, limitada, sgps, sa sgps, unipessoal lda, sociedade anonima, unipessoal, sociedade por quotas, eireli, crl, sociedade unipessoal lda",
    "IT": "spa, srl, srls, sas, snc, ss, sapa, scarl, societa per azioni, societa a responsabilita limitata, societa cooperativa, "
    "soc coop, coop, scpa, scrl, onlus, sc a rl, s coop a rl, sccrl, scpa, societa semplice, scs, socio unico, a socio unico",
    "SE": "ab, ab publ, publ, aktiebolag, hb, handelsbolag, kb, kommanditbolag, ekonomisk forening, ek for, ef, enskild firma",
    "NO": "as, asa, ans, da, nuf, ba, ks, sa, aksjeselskap, allmennaksjeselskap, enk, bl, sf",
    "DK": "aps, a s, as, ivs, is, ks, k s, amba, fmba, smba, p s, aktieselskab, anpartsselskab, ivaerksaetterselskab, i s, ps, pmf",
    "FI": "oy, oyj, oy ab, ab oy, ky, ay, osk, tmi, osakeyhtio, julkinen osakeyhtio, oyj abp, abp, apb, kommandiittiyhtio, avoin yhtio, ry, rf",
    "IS": "hf, ehf, ohf, slf, sf, ses, svf, bs",
    "EE": "ou, as, fie, uu, tu, osauhing, aktsiaselts, mtu",
    "LV": "sia, as, ik, ks, ps, sabiedriba ar ierobezotu atbildibu, akciju sabiedriba",
    "LT": "uab, ab, ii, mb, vsi, ub, kub, zub, uzdaroji akcine bendrove, akcine bendrove",
    "PL": "sp z oo, spzoo, sp z o o, sp zoo, spolka z oo, sa, sp j, sp k, sp p, ska, spolka akcyjna, spolka z ograniczona odpowiedzialnoscia, "
    "spolka jawna, spolka komandytowa, sp z oo sp k, sp z oo spolka komandytowa, psa, prosta spolka akcyjna, spj, spk, sc",
    "CZ": "sro, s ro, as, a s, spol sro, spol s ro, spol s r o, vos, ks, akciova spolecnost, spolecnost s rucenim omezenym, zs, druzstvo, op s, ops, sp",
    "SK": "sro, s ro, as, a s, spol sro, spol s ro, spol s r o, akciova spolocnost, vos, ks, spolocnost s rucenim obmedzenym",
    "HU": "kft, zrt, nyrt, bt, rt, kkt, korlatolt felelossegu tarsasag, reszvenytarsasag, ev, kht, nonprofit kft",
    "RO": "srl, sa, sca, snc, scs, pfa, srl d, srld, ra",
    "BG": "ood, ead, eood, ad, et, kd, sd, kda, оод, ад, еоод, еад, ет",
    "HR": "doo, dd, jdoo, d o o, d d, j d o o, jtd, kd, zadruga, obrt",
    "SI": "doo, dd, dno, kd, d o o, d d, sp, d n o, zoo, so p",
    "RS": "doo, ad, od, kd, d o o, a d, доо, ад",
    "BA": "doo, dd, d o o, d d",
    "MK": "doo, dooel, ad, ltd skopje",
    "GR": "ae, epe, ike, oe, ee, sa, abee, ave, avee, ltd, εε, αε, επε, ικε, οε, αβεε, monoprosopi ike, mepe",
    "CY": "public company limited, pcl",
    "TR": "as, ltd sti, limited sirketi, anonim sirketi, anonim sti, sti, san ve tic as, sanayi ve ticaret as, san ve tic ltd sti, "
    "sanayi ve ticaret ltd sti, tic as, ticaret as, tas, a s, tic ltd sti, ve tic as, holding as",
    "RU": "ooo, oao, zao, pao, ao, ip, nko, gup, mup, fgup, ано, ооо, оао, зао, пао, ао, ип, ojsc, jsc, pjsc, cjsc, ngo, nao, tko",
    "UA": "tov, pat, prat, at, llc ukraine, тов, пат, прат, ат, фоп, dp, vat, zat",
    "BY": "odo, ooo, chup, oao, ztao, одо, чуп, уп, up",
    "KZ": "too, ao, тоо, llp kazakhstan, jsc kazakhstan",
    "GE": "jsc, llc georgia",
    "IL": "bm, b m, ltd israel",
    "AE": "fze, fzco, fz llc, fzc, wll, pjsc, psc, llc sp, dmcc, fzllc, est, establishment",
    "SA": "cjsc, sjsc, w l l",
    "QA": "qsc, qpsc, wll, qjsc",
    "KW": "ksc, kscc, ksck, wll, kscp",
    "BH": "bsc, wll, bsc closed, spc",
    "OM": "saog, saoc, omg",
    "EG": "sae, s a e",
    "MA": "sarl au, sa, sarlau",
    "NG": "nig ltd, nigeria ltd, nigeria plc",
    "KE": "k ltd",
    "MX": "sa de cv, sab de cv, s de rl de cv, sapi de cv, s de rl, sa cv, sc de rl, s en c, sofom, sapib de cv, sab, s en c por a, "
    "sociedad anonima de capital variable, de cv, sociedad civil, ac, spr de rl, sapi, sapi de cv sofom enr, sa de rl",
    "BR": "ltda, eireli, epp, sa, me, mei, limitada, ltda me, ltda epp, sociedade anonima, s a, ss ltda, slu, cia",
    "AR": "sa, srl, sas, sacif, saci, sacifi, sociedad anonima, sh, scs, sca, saicf, saic, sacia",
    "CL": "spa, ltda, eirl, sa, limitada, sociedad por acciones, sac",
    "CO": "sas, ltda, sca, esp, sa esp, sociedad por acciones simplificada, sa bic, sas esp, sas bic, eu, sociedad en comandita, s en c",
    "PE": "sac, saa, srl, eirl, scrl, sociedad anonima cerrada, sociedad anonima abierta, srltda, s civil de rl",
    "VE": "ca, c a, compania anonima, saca, sa, srl, saica, ac",
    "EC": "cia ltda, cia, ca, ep, cem, sas",
    "BO": "srl, sa, sam, ltda",
    "UY": "sa, srl, sas",
    "PY": "sa, srl, saeca, saci, eas",
    "DO": "srl, cxa, c por a, eirl, sas",
    "GT": "sa, cia ltda, y cia",
    "CR": "sa, srl, ltda",
    "JP": "kk, kabushiki kaisha, kabushiki gaisha, gk, godo kaisha, yk, yugen kaisha, yugen gaisha, goshi kaisha, gomei kaisha, "
    "株式会社, 有限会社, 合同会社, kabushikigaisha, kabushikikaisha",
    "CN": "co ltd, company limited, 有限公司, 有限责任公司, 有限責任公司, 股份有限公司, ltd co, technology co ltd, wfoe, joint stock co ltd, stock co ltd",
    "TW": "co ltd, 股份有限公司, 有限公司, ltd co",
    "KR": "co ltd, 주식회사, yuhan hoesa, jusik hoesa, chusik hoesa, 유한회사, yh, ch",
    "VN": "jsc, joint stock company, co ltd, tnhh, cp, cong ty cp, cong ty tnhh, ctcp, mtv, one member limited liability company",
    "TH": "public company limited, public co limited, pcl, co ltd, limited partnership, plc, public co ltd",
    "ID": "tbk, persero, persero tbk, cv, terbuka, pt tbk, perum",
    "PK": "pvt ltd, private limited, smc pvt ltd, smc private limited, smc, guarantee limited",
    "BD": "pvt ltd, bd ltd, plc",
    "LK": "pvt ltd, plc, private limited",
    "AO": "lda, sarl",
    "MZ": "lda, sa, sarl",
    "EU": "se, sce, eeig, ewiv, geie, eesv",
    "AL": "shpk, sha, sh pk, sh a",
    "MD": "srl, sa, ii, im",
    "LI": "anstalt, trust reg, ag, etablissement, establishment",
    "MC": "sam, scs",
    "PA": "sa, inc panama, s de rl",
    "MN": "xxk, llc mongolia, xk",
}  # fmt: skip
_LEADING: dict[str, str] = {
    "ID": "pt, perum",
    "RU": "ooo, oao, zao, pao, ооо, оао, зао, пао, ао, ип, нко",
    "UA": "tov, тов, пат, прат, ат, фоп, пп",
    "BY": "odo, одо, чуп, chup",
    "KZ": "тоо",
    "LT": "uab",
    "SE": "aktiebolaget, ab, a b",
    "FI": "oy",
    "VN": "cong ty cp, cong ty tnhh, cong ty co phan, cong ty",
    "JP": "株式会社, 有限会社, 合同会社, kabushiki kaisha",
    "KR": "주식회사, 유한회사",
    "BR": "cia, companhia",
    "FR": "sarl, eurl, societe anonyme, ets, etablissements, sasu",
    "IT": "soc coop, societa cooperativa",
    "BG": "ет",
    "PL": "phu, pphu, ppuh, fhu, przedsiebiorstwo",
    "MY": "syarikat",
    "DK": "a s, aktieselskabet",
}

# Forms that are also everyday words, or the end of an internet name: stripping them would merge strangers
# (Level Up, Next Gen, Fund II, Gaming PC), so they stay in the name.
_WORDS = frozenset(
    "me up is at ad ip im pa ch pr gen trust pc cv ev eg ii too vat sam scoop gag ses omg ps sp ba wa dp nl eu est da tu "
    "rc so ep psc ng uc an sf bs it sh st ac".split()
)

TRAILING_FORMS: frozenset[str] = (
    frozenset(form.strip() for forms in _BY_COUNTRY.values() for form in forms.split(",") if form.strip()) - _WORDS
)
LEADING_FORMS: frozenset[str] = frozenset(
    form.strip() for forms in _LEADING.values() for form in forms.split(",") if form.strip()
)
