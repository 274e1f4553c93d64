"""The Basic Application Level Confidentiality Profile of DICOM PS3.15 Annex E as data.

`TABLE` has the attributes of table E.1-1 (edition 2026c) that are neither dates and times nor UIDs, which follow
rules of their own: see `deidentify`. Attributes that the table does not name are kept only where they can't hold
words of a person's own, or stand in `KEPT`.
"""

__all__ = [
    "BINARY",
    "CHARACTERISTICS",
    "DERIVED",
    "HEAD",
    "INHERITED",
    "KEPT",
    "NOT_SHIFTED",
    "STANDARD_DATES",
    "STANDARD_UIDS",
    "TABLE",
    "TECHNIQUES",
]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: Keyword → action of the table: X remove, Z empty, D dummy value; several where the type decides.
TABLE: dict[str, str] = {
    **dict.fromkeys(
        _words(
            """
            AcquisitionFieldOfViewLabel AnnotationGroupLabel CertificateOfSigner
            ClinicalTrialProtocolEthicsCommitteeName ClinicalTrialProtocolID ClinicalTrialSponsorName
            ClinicalTrialSubjectID ClinicalTrialSubjectReadingID ContainerIdentifier ContentSequence
            DestinationAE DeviceLabel EncapsulatedDocument EntityLabel EntityLongLabel FlowIdentifier
            FlowIdentifierSequence FrameOriginTimestamp GraphicAnnotationSequence InterlockDescription
            InterlockOriginDescription ModifyingSystem PersonIdentificationCodeSequence PersonName RTPlanLabel
            RTPrescriptionLabel RTToleranceSetLabel RadiationDoseIdentificationLabel
            RadiationDoseInVivoMeasurementLabel RadiationGenerationModeLabel ReasonForTheAttributeModification
            SelectorAEValue SelectorASValue SelectorLOValue SelectorLTValue SelectorOBValue SelectorPNValue
            SelectorSHValue SelectorSTValue SelectorURValue SelectorUTValue SourceIdentifier
            SpecimenIdentifier StructureSetLabel TreatmentPositionGroupLabel
            TreatmentToleranceViolationDescription UnformattedTextValue UserContentLabel UserContentLongLabel
            VerifyingObserverName VerifyingObserverSequence VerifyingOrganization XRayDetectorID XRaySourceID
            """
        ),
        "D",
    ),
    **dict.fromkeys(
        _words(
            """
            AccessionNumber ClinicalTrialCoordinatingCenterName ClinicalTrialProtocolName ClinicalTrialSiteID
            ClinicalTrialSiteName ClinicalTrialTimePointID ConceptualVolumeCombinationDescription
            ConceptualVolumeDescription ConsultingPhysicianName DeviceAlternateIdentifier
            FillerOrderNumberImagingServiceRequest FractionationNotes IssuerOfTheContainerIdentifierSequence
            IssuerOfTheSpecimenIdentifierSequence ManufacturerDeviceIdentifier PatientBirthDate PatientName
            PatientSex PlacerOrderNumberImagingServiceRequest PrescriptionNotes PrescriptionNotesSequence
            ROIInterpreter ROIName RTAccessoryDeviceSlotID RTAccessoryHolderSlotID RTPhysicianIntentNarrative
            RadiationGenerationModeDescription ReasonForSuperseding ReferringPhysicianName
            SourceOfPreviousValues SpecimenPreparationSequence StudyID TreatmentTechniqueNotes
            VerifyingObserverIdentificationCodeSequence
            """
        ),
        "Z",
    ),
    **dict.fromkeys(
        _words(
            """
            ContentCreatorName ContrastBolusAgent PatientID
            """
        ),
        "Z/D",
    ),
    **dict.fromkeys(
        _words(
            """
            AcquisitionContextSequence BarcodeValue LabelText PatientSexNeutered ReferencedStudySequence
            RequestedProcedureDescription ReviewerName SourceSerialNumber TreatmentMachineName
            """
        ),
        "X/Z",
    ),
    **dict.fromkeys(
        _words(
            """
            AcquisitionDeviceProcessingDescription DetectorID OperatorIdentificationSequence ProtocolName
            RTTreatmentApproachLabel TreatmentSite WaveformAnnotationSequence
            """
        ),
        "X/D",
    ),
    **dict.fromkeys(
        _words(
            """
            DeviceSerialNumber InstitutionCodeSequence InstitutionName OperatorsName
            ReferencedPerformedProcedureStepSequence StationName
            """
        ),
        "X/Z/D",
    ),
    **dict.fromkeys(
        _words(
            """
            AcquisitionComments AcquisitionContextDescription AcquisitionProtocolDescription
            ActualHumanPerformersSequence AdditionalPatientHistory AddressTrial AdmissionID
            AdmittingDiagnosesCodeSequence AdmittingDiagnosesDescription Allergies AnnotationGroupDescription
            Arbitrary AuthorObserverSequence BeamDescription BolusDescription BranchOfService CameraOwnerName
            CassetteID CertifiedTimestamp ChannelDerivationDescription ChannelLabel
            ClinicalTrialProtocolEthicsCommitteeApprovalNumber ClinicalTrialSeriesDescription
            ClinicalTrialSeriesID ClinicalTrialTimePointDescription CommentsOnRadiationDose
            CommentsOnThePerformedProcedureStep CompensatorDescription
            ConfidentialityConstraintOnPatientDataDescription ConsultingPhysicianIdentificationSequence
            ContainerComponentID ContainerDescription ContentCreatorIdentificationCodeSequence
            ContributionDescription CountryOfResidence CurrentObserverTrial CurrentPatientLocation
            CustodialOrganizationSequence DataSetTrailingPadding DecompositionDescription
            DerivationDescription DeviceDescription DeviceSettingDescription DigitalSignaturesSequence
            DischargeDiagnosisDescription DisplacementReferenceLabel DistributionAddress DistributionName
            DoseReferenceDescription EntityDescription EntityName EquipmentFrameOfReferenceDescription
            EthnicGroup EthnicGroupCodeSequence FilterLookupTableDescription FixationDeviceDescription
            FractionGroupDescription FrameComments GPSAltitude GPSAltitudeRef GPSAreaInformation GPSDOP
            GPSDateStamp GPSDestBearing GPSDestBearingRef GPSDestDistance GPSDestDistanceRef GPSDestLatitude
            GPSDestLatitudeRef GPSDestLongitude GPSDestLongitudeRef GPSDifferential GPSImgDirection
            GPSImgDirectionRef GPSLatitude GPSLatitudeRef GPSLongitude GPSLongitudeRef GPSMapDatum
            GPSMeasureMode GPSProcessingMethod GPSSatellites GPSSpeed GPSSpeedRef GPSStatus GPSTimeStamp
            GPSTrack GPSTrackRef GPSVersionID GantryID GeneratorID HardcopyCreationDeviceID HumanPerformerName
            HumanPerformerOrganization IconImageSequence IdentifyingComments ImageComments
            ImagePresentationComments ImagingServiceRequestComments Impressions InstanceOriginStatus
            InstitutionAddress InstitutionalDepartmentName InstitutionalDepartmentTypeCodeSequence
            InsurancePlanIdentification IntendedRecipientsOfResultsIdentificationSequence
            InterpretationApproverSequence InterpretationAuthor InterpretationDiagnosisDescription
            InterpretationID InterpretationIDIssuer InterpretationRecorder InterpretationText
            InterpretationTranscriber IssuerOfAdmissionID IssuerOfAdmissionIDSequence
            IssuerOfClinicalTrialProtocolID IssuerOfClinicalTrialSeriesID IssuerOfClinicalTrialSiteID
            IssuerOfClinicalTrialSubjectID IssuerOfClinicalTrialSubjectReadingID
            IssuerOfClinicalTrialTimePointID IssuerOfPatientID IssuerOfServiceEpisodeID
            IssuerOfServiceEpisodeIDSequence LensMake LensModel LensSerialNumber LensSpecification
            LongDeviceDescription MAC MakerNote MedicalAlerts MedicalRecordLocator MilitaryRank
            ModifiedAttributesSequence ModifiedImageDescription ModifyingDeviceID
            MultienergyAcquisitionDescription MultiplexGroupLabel NameOfPhysiciansReadingStudy
            NamesOfIntendedRecipientsOfResults NetworkID NonconformingDataElementValue
            NonconformingModifiedAttributesSequence Occupation OrderCallbackPhoneNumber
            OrderCallbackTelecomInformation OrderEnteredBy OrderEntererLocation OriginalAttributesSequence
            Originator OtherClinicalTrialProtocolIDsSequence OtherPatientIDs OtherPatientIDsSequence
            OtherPatientNames ParticipantSequence PatientAddress PatientAge PatientBirthName PatientBirthTime
            PatientBodyMassIndex PatientComments PatientInstitutionResidence PatientInsurancePlanCodeSequence
            PatientMotherBirthName PatientPrimaryLanguageCodeSequence
            PatientPrimaryLanguageModifierCodeSequence PatientReligiousPreference PatientSetupPhotoDescription
            PatientSize PatientState PatientTelecomInformation PatientTelephoneNumbers
            PatientTransportArrangements PatientTreatmentPreparationMethodDescription
            PatientTreatmentPreparationProcedureParameterDescription PatientWeight PerformedLocation
            PerformedProcedureStepDescription PerformedProcedureStepID PerformedStationAETitle
            PerformedStationGeographicLocationCodeSequence PerformedStationName
            PerformedStationNameCodeSequence PerformingPhysicianIdentificationSequence PerformingPhysicianName
            PersonAddress PersonTelecomInformation PersonTelephoneNumbers PhysicianApprovingInterpretation
            PhysiciansOfRecord PhysiciansOfRecordIdentificationSequence
            PhysiciansReadingStudyIdentificationSequence PlateID PositionAcquisitionTemplateDescription
            PositionAcquisitionTemplateName PreMedication PregnancyStatus PrescriptionDescription
            PriorTreatmentDoseDescription PyramidDescription PyramidLabel ROICreatorSequence ROIDescription
            ROIGenerationDescription ROIInterpreterSequence ROIObservationDescription ROIObservationLabel
            RTPlanDescription RTPlanName ReasonForOmissionDescription ReasonForRequestedProcedureCodeSequence
            ReasonForStudy ReasonForTheImagingServiceRequest ReasonForTheRequestedProcedure ReasonForVisit
            ReasonForVisitCodeSequence ReceivingAE ReferencedDigitalSignatureSequence
            ReferencedPatientAliasSequence ReferencedPatientPhotoSequence ReferencedPatientSequence
            ReferencedSOPInstanceMACSequence ReferringPhysicianAddress
            ReferringPhysicianIdentificationSequence ReferringPhysicianTelephoneNumbers RegionOfResidence
            RequestAttributesSequence RequestedContrastAgent RequestedProcedureComments RequestedProcedureID
            RequestedProcedureLocation RequestedSeriesDescription RequestingAE RequestingPhysician
            RequestingService RespiratoryMotionCompensationTechniqueDescription ResponsibleOrganization
            ResponsiblePerson ResultsComments ResultsDistributionListSequence ResultsID ResultsIDIssuer
            RetrieveAETitle ScheduledHumanPerformersSequence ScheduledPatientInstitutionResidence
            ScheduledPerformingPhysicianIdentificationSequence ScheduledPerformingPhysicianName
            ScheduledProcedureStepDescription ScheduledProcedureStepID ScheduledProcedureStepLocation
            ScheduledStationAETitle ScheduledStationGeographicLocationCodeSequence ScheduledStationName
            ScheduledStationNameCodeSequence ScheduledStudyLocation ScheduledStudyLocationAETitle
            SecondaryCaptureDeviceID SeriesDescription ServiceEpisodeDescription ServiceEpisodeID
            SetupTechniqueDescription ShieldingDeviceDescription SlideIdentifier SmokingStatus
            SourceManufacturer SpecialNeeds SpecimenAccessionNumber SpecimenDetailedDescription
            SpecimenShortDescription StationAETitle StructureSetDescription StructureSetName StudyComments
            StudyDescription StudyIDIssuer TelephoneNumberTrial TextComments TextString TimezoneOffsetFromUTC
            TopicAuthor TopicKeywords TopicSubject TopicTitle TransducerIdentificationSequence TreatmentSites
            UDISequence UniqueDeviceIdentifier VerbalSourceIdentifierCodeSequenceTrial VerbalSourceTrial
            VisitComments WaveformFilterDescription XRayDetectorLabel
            """
        ),
        "X",
    ),
}

#: Kept with the Retain Patient Characteristics option (113108); the free text it would also keep is not.
CHARACTERISTICS = frozenset(
    _words(
        """
        PatientAge PatientBodyMassIndex PatientSex PatientSexNeutered PatientSize PatientWeight PregnancyStatus
        SmokingStatus
        """
    )
)

#: Dates that follow the table though all others are shifted: birth is no event of the study.
NOT_SHIFTED = frozenset(_words("PatientBirthDate PatientBirthTime GPSDateStamp GPSTimeStamp"))

#: Versions of the standard's own code tables; shifted, these well-known dates would give the shift away.
STANDARD_DATES = frozenset(
    _words("ContextGroupVersion ContextGroupLocalVersion TemplateVersion TemplateLocalVersion")
)

#: Text that says how an image was made and in what code, in attributes that the table does not name.
KEPT = frozenset(
    _words(
        """
        AcquisitionDeviceProcessingCode AttenuationCorrectionMethod CardiacFramingType CodeMeaning CodeValue
        CodingSchemeDesignator CodingSchemeName CodingSchemeVersion CollimatorGridName ConvolutionKernel
        CSSFontName DetectorLinesOfResponseUsed DetectorMode DimensionDescriptionLabel DoseModeName FilterType
        FontName ImagedNucleus LongCodeValue Manufacturer ManufacturerModelName MappingResourceName
        ModalityLUTType PhosphorType PlateType PositionReferenceIndicator PulseSequenceName PVCRejection
        Radiopharmaceutical RadiopharmaceuticalRoute ReceiveCoilName ReconstructionMethod RescaleType
        ScatterCorrectionMethod SequenceName SoftwareVersions StackID TransmitCoilName TypeOfFilters
        URNCodeValue
        """
    )
)

#: What medseg itself wrote into a derived object: its titles, names of structures, its own sentences.
DERIVED = frozenset(
    _words(
        """
        AlgorithmName AlgorithmParameters AlgorithmSource AlgorithmVersion ContentDescription ContentSequence
        DerivationDescription DocumentTitle EncapsulatedDocument
        MIMETypeOfEncapsulatedDocument ROIDescription ROIGenerationDescription ROIName SegmentAlgorithmName
        SegmentDescription SegmentLabel SeriesDescription StructureSetDescription StructureSetLabel
        StructureSetName TextValue TrackingID
        """
    )
)

#: Codes that a derived object has from its source, typed words and all: cleaned as the source's are.
INHERITED = frozenset(
    _words(
        """
        AnatomicRegionSequence PerformedProcedureCodeSequence PrimaryAnatomicStructureSequence ProcedureCodeSequence
        ReasonForPerformedProcedureCodeSequence RequestedProcedureCodeSequence
        """
    )
)

#: Bytes that are pixels, tables or coordinates; any other bytes are removed.
BINARY = frozenset(
    _words(
        """
        AlphaPaletteColorLookupTableData BluePaletteColorLookupTableData DoubleFloatPixelData
        ExtendedOffsetTable ExtendedOffsetTableLengths FloatPixelData GreenPaletteColorLookupTableData
        ICCProfile LUTData PixelData RedPaletteColorLookupTableData
        SegmentedAlphaPaletteColorLookupTableData SegmentedBluePaletteColorLookupTableData
        SegmentedGreenPaletteColorLookupTableData SegmentedRedPaletteColorLookupTableData VectorGridData
        """
    )
)

#: UIDs that name a kind of thing, not an instance; all under 1.2.840.10008 are such too.
STANDARD_UIDS = frozenset(
    _words(
        """
        AffectedSOPClassUID CodingSchemeUID ContextGroupExtensionCreatorUID ContextUID ImplementationClassUID
        MappingResourceUID MediaStorageSOPClassUID OriginalSpecializedSOPClassUID PertinentSOPClassesInSeries
        PertinentSOPClassesInStudy ReferencedRelatedGeneralSOPClassUIDInFile ReferencedSOPClassUID
        ReferencedSOPClassUIDInFile ReferencedTransferSyntaxUIDInFile RelatedGeneralSOPClassUID
        RequestedSOPClassUID SOPClassesInStudy SOPClassesSupported SOPClassUID TransferSyntaxUID
        """
    )
)

#: Words of a series' description that change what its values mean, and survive cleaning for that.
TECHNIQUES = _words(
    "CBCT CONE VMI MONOENERGETIC MONO_E IODINE ZEFF Z_EFF SPECTRAL MATERIAL DENSITY VNC PERFUSION LOCALIZER CALCIUM"
)

#: Words of body part or description that mean a picture of a head, in English, French, German.
HEAD = _words(
    """
    HEAD BRAIN SKULL FACE FACIAL NEURO ORBIT SINUS SINUSES CEREBR CRANI CRANE TETE KOPF SCHADEL SCHAEDEL HIRN
    NECK HNSCC MAXILLO MANDIBLE JAW IAC EAR EYE NOSE PITUITARY TEMPORAL
    """
)
