/**
 * The currencies of ISO 4217 with their decimal places: the only list of the project, as of 1 January 2026,
 * from the maintenance agency's list one (current) and list three (historic),
 * https://www.six-group.com/en/products-services/financial-information/data-standards.html. An amendment
 * moves a code from one group to another. No code is ever removed, because old orders and rates use it.
 *
 * Left out are codes without decimal places, because nobody is paid in them: XXX and XTS (no currency, tests),
 * metals (XAU, XAG, XPD, XPT), units of account and of bond markets (XDR, XSU, XUA, XBA to
 * XBD, and of the historic ones XFO, XFU, XRE).
 */

const BY_PLACES: Readonly<Record<number, string>> = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  2: `
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF
    CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL
    HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU
    MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR
    SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED
    VES WST XAD XCD XCG YER ZAR ZMW ZWG`,
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
};

// List three gives no decimal places. Of its codes that a provider here ever accepted, only BYR has none.
const HISTORIC_BY_PLACES: Readonly<Record<number, string>> = {
  0: 'BYR',
  2: `
    ADP AFA ALK ANG AOK AON AOR ARA ARP ARY ATS AYM AZM BAD BEC BEF BEL BGJ BGK BGL BGN BOP BRB BRC BRE BRN
    BRR BUK BYB CHC CSD CSJ CSK CUC CYP DDM DEM ECS ECV EEK ESA ESB ESP FIM FRF GEK GHC GHP GNE GNS GQE GRD
    GWE GWP HRD HRK IEP ILP ILR ISJ ITL LAJ LSM LTL LTT LUC LUF LUL LVL LVR MGF MLF MRO MTL MTP MVQ MXP MZE
    MZM NIC NLG PEH PEI PES PLZ PTE RHD ROK ROL RUR SDD SDP SIT SKK SLL SRG STD SUR TJR TMM TPE TRL UAK UGS
    UGW USS UYN UYP VEB VEF VNC XEU YDD YUD YUM YUN ZAL ZMK ZRN ZRZ ZWC ZWD ZWL ZWN ZWR`,
};

const places = new Map<string, number>(
  [BY_PLACES, HISTORIC_BY_PLACES].flatMap((group) =>
    Object.entries(group).flatMap(([count, codes]) =>
      codes
        .trim()
        .split(/\s+/)
        .map((code): [string, number] => [code, Number(count)]),
    ),
  ),
);

export const currencies: readonly string[] = [...places.keys()].sort();

/** Whether ISO 4217 lists the code as money. */
export function isCurrency(code: string): boolean {
  return places.has(code);
}

/** Decimal places of a currency; 2 if the currency is unknown. */
export function exponentOf(currency: string): number {
  return places.get(currency) ?? 2;
}

/** What is wrong with decimal text that has more places than its currency; zeros at the end are none. */
export function excessPlaces(amount: string, currency: string): string | undefined {
  const [, given = ''] = amount.split('.');
  const allowed = exponentOf(currency);
  if (!/[1-9]/.test(given.slice(allowed))) return undefined;
  return `has more decimal places than ${currency}, which has ${allowed === 0 ? 'none' : allowed}`;
}
